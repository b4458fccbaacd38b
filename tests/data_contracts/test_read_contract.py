"""Reading contract files: what is taken, and that nothing else is, whatever its YAML does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts.contract import Contract, shipped
from data_contracts.errors import ContractError, NotFound
from data_contracts.read_contract import MAX_CHARS, load_contract, read_contract

HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: my.things
version: 1.2.3
status: active
"""
TEXT = (
    HEAD
    + """\
team: {name: us}
description: {purpose: Things that are.}
slaProperties: [{property: freshness, value: 36, unit: h}]
schema:
  - name: things
    customProperties: [{property: exactColumns, value: true}]
    properties:
      - name: id
        logicalType: string
        physicalType: string
        unique: true
        required: true
        description: The id.
      - name: size
        logicalType: integer
        customProperties: [{property: unit, value: bytes}]
        logicalTypeOptions: {minimum: 0}
    quality:
      - {name: some, metric: rowCount, mustBeGreaterThan: 0}
"""
)


def read(text: str) -> Contract:
    return read_contract(text, "things.yaml")


def refused(text: str) -> str:
    with pytest.raises(ContractError) as error:
        read(text)
    assert "things.yaml" in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def with_rule(**rule: Any) -> str:
    table = {"name": "things", "quality": [rule]}
    return json.dumps({**yaml.safe_load(HEAD), "schema": [table]})


def test_a_contract_is_what_its_file_says():
    contract = read(TEXT)
    assert (contract.dataset, contract.id, contract.version) == ("things", "my.things", "1.2.3")
    assert (contract.owner, contract.description) == ("us", "Things that are.")
    assert contract.freshness_seconds == 36 * 3600
    identity, size = contract.columns
    assert (identity.type, identity.required, identity.unique) == ("string", True, True)
    assert (size.type, size.required, size.unique, size.unit) == (None, False, False, "bytes")
    assert contract.key == ("id",)
    assert contract.column("size") == size
    assert contract.column("none") is None
    assert [rule.name for rule in contract.rules] == [
        "columns",
        "id.type",
        "id.not_null",
        "id.unique",
        "size.range",
        "some",
    ]
    assert contract.path == "things.yaml"


def test_every_shipped_contract_is_one():
    for name, path in shipped().items():
        assert load_contract(name) == load_contract(path) == load_contract(str(path))
        assert load_contract(name).dataset == name
    assert len(shipped()) > 5


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("purpose: Things", "purpose: Other things"),
        TEXT.replace("name: us", "name: them"),
        TEXT.replace("version: 1.2.3", "version: 1.2.4"),
        TEXT.replace("The id.", "Its id."),
        TEXT.replace("value: bytes", "value: kB"),
        "# a comment\n" + TEXT,
        json.dumps(yaml.safe_load(TEXT), indent=3),
    ],
)
def test_what_is_not_checked_does_not_count_in_the_digest(text):
    assert read(text).digest == read(TEXT).digest


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("mustBeGreaterThan: 0", "mustBeGreaterThan: 1"),
        TEXT.replace("mustBeGreaterThan: 0", "mustBeGreaterThan: 0.5"),
        TEXT.replace("mustBeGreaterThan: 0", "mustBeGreaterOrEqualTo: 0"),
        TEXT.replace("minimum: 0", "minimum: 1"),
        TEXT.replace("minimum: 0", "exclusiveMinimum: 0"),
        TEXT.replace("minimum: 0", "maximum: 0"),
        TEXT.replace("required: true", "required: false"),
        TEXT.replace("exactColumns, value: true", "exactColumns, value: false"),
        TEXT.replace("physicalType: string", "physicalType: int32"),
        TEXT.replace("name: some,", "name: some, severity: warn,"),
    ],
)
def test_what_is_checked_counts_in_the_digest(text):
    assert text != TEXT
    assert read(text).digest != read(TEXT).digest


def test_dates_are_text_as_in_the_standard():
    contract = read(TEXT + "contractCreatedTs: 2024-05-06T07:08:09Z\n")
    assert contract.plain["contractCreatedTs"].startswith("2024-05-06")


def test_aliases_and_merges_are_read_as_what_they_stand_for():
    unit = "customProperties: &u [{property: unit, value: kB}]"
    text = TEXT.replace("description: The id.", unit)
    text = text.replace("[{property: unit, value: bytes}]", "*u")
    assert [column.unit for column in read(text).columns] == ["kB", "kB"]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a mapping"),
        ("[]", "not a mapping"),
        ("a", "not a mapping"),
        ("a: 1\na: 2", "'a' stands twice in line 1"),
        (TEXT + "version: 2.0.0\n", "'version' stands twice"),
        (TEXT.replace("unique: true", "unique: true\n        unique: true"), "'unique' stands"),
        ("a:\n\t- b", "YAML"),
        ("\ta: 1", "YAML"),
        ("a: [", "YAML"),
        ("a: *b", "alias *b in line 1"),
        ("a: &a [*a]", "alias *a in line 1"),
        ("a: &a {b: *a}", "alias *a in line 1"),
        ("--- 1\n--- 2", "YAML"),
        ("a: !!python/object/apply:os.system [echo]", "python/object"),
        ("!!python/object:pathlib.Path {}", "python/object"),
        ("a: !!python/name:os.system", "python/name"),
        ("a: !mine 1", "mine"),
        ("a: .nan", "JSON"),
        ("a: [.inf]", "JSON"),
        ("2020-01-01: a", "YAML"),
        ("? [a]\n: 1", "YAML"),
        ("a: \x00", "YAML"),
        ("a: \x07", "YAML"),
        (bomb(5), "Open Data Contract Standard"),
        (bomb(6), "aliases make it too large"),
        (bomb(60), "aliases make it too large"),
        ("a: &a " + "x" * 1000 + "\nb: [" + "*a, " * 2000 + "]", "aliases make it too large"),
        ("a: " + "[" * 51, "too deep"),
        ("a: " + "[" * 300_000, "too deep"),
        ("- " * 300_000, "too deep"),
        ("# " + "x" * MAX_CHARS, "more than 1,000,000"),
        (HEAD, "schema lists 0 datasets"),
        (HEAD + "schema: []", "schema lists 0 datasets"),
        (HEAD + "schema: [{name: a}, {name: b}]", "schema lists 2 datasets"),
        (HEAD + "schema: [{nam: a}]", "Open Data Contract Standard"),
        (HEAD + "schema: {name: a}", "schema"),
        (TEXT.replace("apiVersion: v3.1.0", ""), "apiVersion"),
        (TEXT.replace("version: 1.2.3", "version: 1.2"), "version"),
        (TEXT.replace("kind: DataContract", "kind: Contract"), "kind"),
        (TEXT.replace("required: true", "required: 'yes'"), "required"),
        (TEXT.replace("required: true", "requird: true"), "requird"),
        (
            TEXT + "      - {name: many, metric: rowCount, mustBeGreaterOrEqualsTo: 1}\n",
            "the rule many has 'mustBeGreaterOrEqualsTo', which no rule has; did you mean "
            "'mustBeGreaterOrEqualTo'?",
        ),
        (TEXT.replace("- name: size", "- name: id"), "2 columns are called 'id'"),
        (TEXT.replace("value: 36", "value: soon"), "freshness"),
        (TEXT.replace("value: 36", "value: true"), "freshness"),
        (TEXT.replace("unit: h", "unit: fortnights"), "fortnights"),
    ],
)
def test_what_is_no_contract_is_refused_at_once_and_says_where(text, said):
    started = time.perf_counter()
    assert said in refused(text)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"metric": "rowCount", "mustBe": 1}, "rule 1 of things has no name"),
        ({"name": "r", "metric": "rowCount"}, "rowCount|mustBe"),
        ({"name": "r", "type": "sql", "query": "SELECT 1"}, "schema/0/quality/0"),
        ({"name": "r", "metric": "rowCount", "mustBe": 1, "mustNotBe": 2}, "mustBe"),
        ({"name": "r"}, "no limit"),
        (
            {"name": "r", "metric": "rowCount", "mustBe": 1, "severity": "stopp"},
            "did you mean 'stop'",
        ),
        ({"name": "r", "metric": "rowCount", "mustBe": 1, "severity": ""}, "severity is ''"),
        ({"name": "r", "metric": "rows", "mustBe": 1}, "rows"),
        ({"name": "r", "metric": "rowCount", "mustBe": "1"}, "r): mustBe is '1'"),
        ({"name": "r", "metric": "rowCount", "mustBeBetween": [3, 2]}, "smaller number first"),
        ({"name": "r", "metric": "rowCount", "mustBe": 1, "unit": "percent"}, "percent"),
    ],
)
def test_a_rule_that_could_not_be_judged_is_refused_by_its_place(rule, said):
    text = refused(with_rule(**rule))
    assert any(word in text for word in said.split("|")), text


def test_two_rules_of_one_name_are_refused():
    twice = "{name: some, metric: rowCount, mustBe: 1}"
    assert "2 rules are called 'some'" in refused(TEXT + f"      - {twice}\n")


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00", b"caf\xe9: 1", TEXT.encode("utf-16"), b"\x89PNG\r\n", b""],
)
def test_what_is_not_utf8_is_refused(data, tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(ContractError, match=r"a\.yaml"):
        load_contract(path)


@pytest.mark.parametrize("name", ["no-such", "document", "a\x00b", "x" * 5000, "", "a/b.yaml"])
def test_what_is_not_there_is_not_found(name, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = ContractError if name == "" else NotFound  # "" is the folder itself
    with pytest.raises(expected):
        load_contract(name)


def test_the_nearest_shipped_contract_is_named():
    with pytest.raises(NotFound, match="did you mean 'documents'"):
        load_contract("document")


def test_whatever_stands_in_a_file_it_is_a_contract_or_refused():
    seen = {True: 0, False: 0}
    odd = ["  - x\n", "*u\n", "&u [", "]", "\t", "{", "é\n", "? ", "!!set "]
    pieces = st.sampled_from([*TEXT.splitlines(keepends=True), *odd])
    cuts = st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), pieces | st.text(max_size=8))

    @settings(max_examples=80)
    @given(cuts)
    @example((0, 0, "# a comment\n"))
    @example((0, 20, ""))
    def check(cut: tuple[int, int, str]) -> None:
        start, length, other = cut
        try:
            contract = read(TEXT[:start] + other + TEXT[start + length :])
        except ContractError:
            seen[False] += 1
        else:
            seen[True] += 1
            assert contract.digest

    check()
    assert min(seen.values()) > 0, seen
