"""``millrace signals`` and ``millrace policies``: what there is to ask, and who asks it."""

import json
import tomllib

import pytest

from data_contracts.errors import NotFound, RecipeError
from flows.cli import make_parser
from flows.commands import policies, signals
from flows.recipe import recipe_from_plain
from pipelines.policies.dialects import DIALECTS
from pipelines.signals.registry import FAMILIES, signal_names


def ask(module, *words):
    return module.execute(make_parser().parse_args([module.__name__.rpartition(".")[2], *words]))


def test_every_signal_is_listed_with_its_meaning():
    value, text = ask(signals)
    assert [each["name"] for each in value["signals"]] == list(signal_names())
    assert all(each["unit"] and each["description"] for each in value["signals"])
    assert all(name in text for name in signal_names())


def test_a_family_and_a_signal_can_be_asked_for():
    value, _ = ask(signals, "sentences", "num_chars")
    assert [each["name"] for each in value["signals"]] == ["num_chars", "num_sentences"]
    with pytest.raises(NotFound, match=r"num_word'.*num_words"):
        ask(signals, "num_word")


def test_what_is_measured_only_when_asked_says_so():
    value, _ = ask(signals)
    always = {each["family"] for each in value["signals"] if each["measured"] == "always"}
    assert always == {family.name for family in FAMILIES if family.always}


def test_every_policy_is_listed():
    value, text = ask(policies)
    assert [each["name"] for each in value["policies"]] == list(DIALECTS)
    assert all(name in text for name in DIALECTS)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_policy_shows_its_rules_and_can_be_copied_into_a_recipe(name):
    value, text = ask(policies, name)
    json.dumps(value)
    assert [rule["reason"] for rule in value["rules"]] == [r.reason for r in DIALECTS[name].rules]
    assert all(rule["condition"] in text and rule["source"] in text for rule in value["rules"])
    _, toml = ask(policies, name, "--toml")
    edits = ["c4_lines@datatrove-0.10"] if "c4_edit" in toml else []
    own = {"name": "own", "policy": tomllib.loads(toml)["policy"], "edits": {"use": edits}}
    rules = recipe_from_plain(own).policy.all_rules()
    assert rules == tuple((rule.reason, rule.condition) for rule in DIALECTS[name].rules)


def test_a_policy_that_is_none_names_the_nearest():
    with pytest.raises(RecipeError, match="gopher@millrace-1"):
        ask(policies, "gopher@millrace")
