"""``millrace contracts``: lists, shows and compares contracts, and its exit codes."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
import yaml

from data_contracts.contract import shipped
from data_contracts.errors import ContractError, NotFound, UsageError
from flows.commands.contracts import add_arguments, execute


def contracts(*words: str) -> tuple[dict, str]:
    parser = ArgumentParser()
    add_arguments(parser)
    return execute(parser.parse_args(list(words)))


@pytest.fixture
def newer(tmp_path: Path):
    """Return a function that writes the contract of documents with some texts replaced."""

    def write(**replaced: str) -> str:
        plain = yaml.safe_load(shipped()["documents"].read_text())
        for name, value in replaced.items():
            if name == "version":
                plain["version"] = value
            else:
                plain["schema"][0]["properties"][0][name] = value
        path = tmp_path / "newer.yaml"
        path.write_text(yaml.safe_dump(plain))
        return str(path)

    return write


def test_shipped_contracts_are_listed():
    value, text = contracts("list")
    assert [one["dataset"] for one in value["contracts"]] == list(shipped())
    for one in value["contracts"]:
        assert one["num_rules"] > 5
        assert Path(one["path"]).is_file()
        assert one["version"].count(".") == 2
        assert f"{one['dataset']} " in text
    assert json.dumps(value)
    assert text.splitlines()[0].split() == ["dataset", "version", "rules", "path"]
    assert len(text.splitlines()) == 1 + len(shipped())


def test_a_contract_is_shown_as_it_is_written(tmp_path: Path):
    file = shipped()["documents"]
    value, text = contracts("show", "documents")
    assert text == file.read_text().rstrip("\n")
    assert value["contract"]["kind"] == "DataContract"
    assert contracts("show", str(file)) == (value, text)
    assert json.dumps(value)


def test_equal_contracts_do_not_differ(newer):
    value, text = contracts("diff", "documents", newer())
    assert (value["changes"], value["due"], value["exit_code"]) == ((), None, 0)
    assert "Nothing differs" in text


@pytest.mark.parametrize(
    ("replaced", "kind", "exit_code"),
    [
        ({"required": False}, "breaking", 3),
        ({"required": False, "version": "1.9.9"}, "breaking", 3),
        ({"required": False, "version": "99.0.0"}, "breaking", 0),
        ({"required": False, "version": "0.0.1"}, "breaking", 3),
        ({"required": False, "version": "new"}, "breaking", 3),
        ({"description": "Otherwise."}, "harmless", 0),
    ],
)
def test_what_is_breaking_without_a_major_version_ends_with_three(newer, replaced, kind, exit_code):
    value, text = contracts("diff", "documents", newer(**replaced))
    assert value["exit_code"] == exit_code
    assert [change["kind"] for change in value["changes"]] == [kind]
    assert f"{kind}  column doc_id" in text
    assert value["new"].endswith("newer.yaml")
    assert value["old"].endswith("documents.yaml")
    assert json.dumps(value)


def test_long_values_are_cut_in_the_table_and_whole_in_json(newer):
    value, text = contracts("diff", "documents", newer(description="word " * 100))
    assert len(value["changes"][0]["new"]) == 500
    assert max(map(len, text.splitlines())) < 250
    assert "…" in text


@pytest.mark.parametrize(
    "words",
    [["list", "documents"], ["show"], ["show", "a", "b"], ["diff"], ["diff", "documents"]],
)
def test_too_many_or_too_few_names_are_wrong_use(words):
    with pytest.raises(UsageError, match="millrace contracts list"):
        contracts(*words)


def test_errors_name_the_file(tmp_path: Path):
    with pytest.raises(NotFound, match="did you mean 'documents'"):
        contracts("show", "document")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("a: [")
    for words in (["show", str(wrong)], ["diff", "documents", str(wrong)]):
        with pytest.raises(ContractError, match=r"wrong\.yaml"):
            contracts(*words)


def test_it_needs_no_home():
    value, _ = execute(Namespace(action="list", names=[]))
    assert value["contracts"]
