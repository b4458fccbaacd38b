"""What changes between versions of a contract: each change by its kind, and the version due."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.compatibility import KINDS, Comparison, compare
from data_contracts.contract import Contract, shipped
from data_contracts.read_contract import load_contract, read_contract

TEXT = """\
apiVersion: v3.1.0
kind: DataContract
id: my.things
version: 1.2.3
status: active
team: {name: us}
description: {purpose: Things that are., usage: Read them.}
slaProperties:
  - {property: freshness, value: 36, unit: h}
  - {property: retention, value: 3, unit: y}
schema:
  - name: things
    description: All things.
    customProperties: [{property: exactColumns, value: true}]
    properties:
      - {name: id, logicalType: string, physicalType: string, required: true, unique: true}
      - name: kind
        logicalType: string
        physicalType: string
        required: true
        description: What it is.
        enum: [{value: a}, {value: b}]
      - name: size
        logicalType: integer
        physicalType: int32
        description: How large.
        customProperties: [{property: unit, value: bytes}]
        logicalTypeOptions: {minimum: 0, maximum: 100}
        quality:
          - {name: few_null, metric: nullValues, mustBeLessThan: 5, severity: warn}
      - name: code
        logicalType: string
        logicalTypeOptions: {pattern: '[a-z]+', maxLength: 8}
    quality:
      - {name: some, metric: rowCount, mustBeGreaterThan: 10, severity: stop, description: Enough.}
      - {name: asked, type: sql, query: SELECT count(*) FROM rows, mustBe: 0}
      - {name: told, type: text, description: Look.}
"""
PLAIN = yaml.safe_load(TEXT)
Table = dict[str, Any]


def contract(plain: dict[str, Any]) -> Contract:
    return read_contract(json.dumps(plain), "things.yaml")


OLD = contract(PLAIN)


def changed(change: Callable[[Table], Any], version: str | None = None) -> Comparison:
    """Compare the contract with one in which a table, whose columns go by name, is changed."""
    plain = copy.deepcopy(PLAIN)
    table = plain["schema"][0]
    named = {"top": plain, "table": table, "rules": {r["name"]: r for r in table["quality"]}}
    named |= {column["name"]: column for column in table["properties"]}
    change(named)
    plain["version"] = version or plain["version"]
    return compare(OLD, contract(plain))


def told(found: Comparison) -> list[tuple[Any, ...]]:
    return [(c.kind, c.place, c.what, c.old, c.new) for c in found.changes]


def quality(t: Table) -> list[dict[str, Any]]:
    return t["table"]["quality"]


def columns(t: Table) -> list[dict[str, Any]]:
    return t["table"]["properties"]


def few_null(t: Table) -> dict[str, Any]:
    return t["size"]["quality"][0]


NEW_REQUIRED = {"name": "new", "logicalType": "string", "physicalType": "string", "required": True}
NEW_OPTIONAL = {**NEW_REQUIRED, "required": False, "enum": [{"value": "x"}]}
RULE = {"name": "more", "metric": "rowCount", "mustBeLessThan": 99}

BREAKING = {
    "dataset": (
        lambda t: t["table"].update(name="others"),
        ("contract", "dataset", "things", "others"),
    ),
    "id": (lambda t: t["top"].update(id="x"), ("contract", "id", "my.things", "x")),
    "column removed": (lambda t: columns(t).pop(2), ("column size", "removed", "int32", None)),
    "column renamed": (
        lambda t: t["size"].update(name="bytes"),
        ("column size", "renamed", "size", "bytes"),
    ),
    "type": (
        lambda t: t["size"].update(physicalType="int64"),
        ("column size", "type", "int32", "int64"),
    ),
    "type narrowed": (
        lambda t: t["size"].update(physicalType="int16"),
        ("column size", "type", "int32", "int16"),
    ),
    "type dropped": (
        lambda t: t["size"].pop("physicalType"),
        ("column size", "type", "int32", None),
    ),
    "logical type": (
        lambda t: t["kind"].update(logicalType="date"),
        ("column kind", "logicalType", "string", "date"),
    ),
    "optional": (
        lambda t: t["kind"].update(required=False),
        ("column kind", "required", "yes", "no"),
    ),
    "not unique": (lambda t: t["id"].pop("unique"), ("column id", "unique", "yes", "no")),
    "others allowed": (
        lambda t: t["table"].pop("customProperties"),
        ("columns", "no others", "yes", "no"),
    ),
    "value added": (
        lambda t: t["kind"]["enum"].append({"value": "c"}),
        (
            "rule kind.values",
            "widened",
            "expect_column_values_to_be_in_set value_set=['a', 'b']",
            "expect_column_values_to_be_in_set value_set=['a', 'b', 'c']",
        ),
    ),
    "values dropped": (
        lambda t: t["kind"].pop("enum"),
        (
            "rule kind.values",
            "removed, stop",
            "expect_column_values_to_be_in_set value_set=['a', 'b']",
            None,
        ),
    ),
    "range wider": (
        lambda t: t["size"]["logicalTypeOptions"].update(maximum=200),
        (
            "rule size.range",
            "widened",
            "expect_column_values_to_be_between min_value=0, max_value=100",
            "expect_column_values_to_be_between min_value=0, max_value=200",
        ),
    ),
    "range open": (
        lambda t: t["size"]["logicalTypeOptions"].pop("minimum"),
        (
            "rule size.range",
            "widened",
            "expect_column_values_to_be_between min_value=0, max_value=100",
            "expect_column_values_to_be_between max_value=100",
        ),
    ),
    "pattern": (
        lambda t: t["code"]["logicalTypeOptions"].update(pattern="[a-z0-9]+"),
        (
            "rule code.pattern",
            "changed",
            "invalidValues pattern=[a-z]+ must be 0",
            "invalidValues pattern=[a-z0-9]+ must be 0",
        ),
    ),
    "length": (
        lambda t: t["code"]["logicalTypeOptions"].update(maxLength=9),
        (
            "rule code.length",
            "widened",
            "invalidValues maxLength=8 must be 0",
            "invalidValues maxLength=9 must be 0",
        ),
    ),
    "stop removed": (
        lambda t: quality(t).pop(0),
        ("rule some", "removed, stop", "rowCount must be greater than 10", None),
    ),
    "stop to warn": (
        lambda t: t["rules"]["some"].update(severity="warn"),
        ("rule some", "severity", "stop", "warn"),
    ),
    "limit loosened": (
        lambda t: t["rules"]["some"].update(mustBeGreaterThan=9),
        (
            "rule some",
            "widened",
            "rowCount must be greater than 10",
            "rowCount must be greater than 9",
        ),
    ),
    "sql": (
        lambda t: t["rules"]["asked"].update(query="SELECT 0"),
        ("rule asked", "changed", "SELECT count(*) FROM rows must be 0", "SELECT 0 must be 0"),
    ),
    "fresher no more": (
        lambda t: t["top"]["slaProperties"][0].update(value=48),
        ("contract", "freshness in seconds", "129600.0", "172800.0"),
    ),
    "freshness dropped": (
        lambda t: t["top"]["slaProperties"].pop(0),
        ("contract", "freshness in seconds", "129600.0", None),
    ),
}
STRICTER = {
    "required column": (
        lambda t: columns(t).append(NEW_REQUIRED),
        ("column new", "added, required", None, "string"),
    ),
    "required": (
        lambda t: t["size"].update(required=True),
        ("column size", "required", "no", "yes"),
    ),
    "unique": (lambda t: t["code"].update(unique=True), ("column code", "unique", "no", "yes")),
    "type given": (
        lambda t: t["code"].update(physicalType="string"),
        ("column code", "type", None, "string"),
    ),
    "value removed": (
        lambda t: t["kind"]["enum"].pop(),
        (
            "rule kind.values",
            "narrowed",
            "expect_column_values_to_be_in_set value_set=['a', 'b']",
            "expect_column_values_to_be_in_set value_set=['a']",
        ),
    ),
    "range narrower": (
        lambda t: t["size"]["logicalTypeOptions"].update(minimum=1),
        (
            "rule size.range",
            "narrowed",
            "expect_column_values_to_be_between min_value=0, max_value=100",
            "expect_column_values_to_be_between min_value=1, max_value=100",
        ),
    ),
    "warn to stop": (
        lambda t: few_null(t).update(severity="stop"),
        ("rule size.few_null", "severity", "warn", "stop"),
    ),
    "rule added": (
        lambda t: quality(t).append(RULE),
        ("rule more", "added, stop", None, "rowCount must be less than 99"),
    ),
    "limit tightened": (
        lambda t: t["rules"]["some"].update(mustBeGreaterThan=11),
        (
            "rule some",
            "narrowed",
            "rowCount must be greater than 10",
            "rowCount must be greater than 11",
        ),
    ),
    "warning changed": (
        lambda t: few_null(t).update(metric="duplicateValues"),
        (
            "rule size.few_null",
            "changed",
            "nullValues must be less than 5",
            "duplicateValues must be less than 5",
        ),
    ),
    "fresher": (
        lambda t: t["top"]["slaProperties"][0].update(value=1),
        ("contract", "freshness in seconds", "129600.0", "3600.0"),
    ),
}
HARMLESS = {
    "owner": (lambda t: t["top"]["team"].update(name="them"), ("contract", "owner", "us", "them")),
    "purpose": (
        lambda t: t["top"]["description"].update(purpose="All."),
        ("description", "purpose", "Things that are.", "All."),
    ),
    "usage": (
        lambda t: t["top"]["description"].pop("usage"),
        ("description", "usage", "Read them.", None),
    ),
    "table": (
        lambda t: t["table"].update(description="Each thing."),
        ("dataset", "description", "All things.", "Each thing."),
    ),
    "column": (
        lambda t: t["kind"].update(description="Its kind."),
        ("column kind", "description", "What it is.", "Its kind."),
    ),
    "unit": (
        lambda t: t["size"]["customProperties"][0].update(value="kB"),
        ("column size", "unit", "bytes", "kB"),
    ),
    "tags": (lambda t: t["size"].update(tags=["x"]), ("column size", "tags", None, "['x']")),
    "status": (
        lambda t: t["top"].update(status="draft"),
        ("contract", "status", "active", "draft"),
    ),
    "retention": (
        lambda t: t["top"]["slaProperties"][1].update(value=4),
        ("service level", "retention", "3 y", "4 y"),
    ),
    "order": (
        lambda t: columns(t).reverse(),
        ("columns", "order", "id, kind, size, code", "code, size, kind, id"),
    ),
    "rule": (
        lambda t: t["rules"]["some"].update(description="Enough rows."),
        ("rule some", "description", "Enough.", "Enough rows."),
    ),
    "remedy": (
        lambda t: t["rules"]["some"].update(
            customProperties=[{"property": "remedy", "value": "Mend."}]
        ),
        ("rule some", "remedy", None, "Mend."),
    ),
    "warning removed": (
        lambda t: t["size"].pop("quality"),
        ("rule size.few_null", "removed, warn", "nullValues must be less than 5", None),
    ),
    "warning loosened": (
        lambda t: few_null(t).update(mustBeLessThan=6),
        (
            "rule size.few_null",
            "widened",
            "nullValues must be less than 5",
            "nullValues must be less than 6",
        ),
    ),
    "text removed": (
        lambda t: quality(t).pop(2),
        ("rule told", "removed, stop", "it is text for people", None),
    ),
    "same limit otherwise": (
        lambda t: t["rules"]["asked"].update(query="SELECT  count(*)  FROM rows", mustBe=0.0),
        (
            "rule asked",
            "check",
            "SELECT count(*) FROM rows must be 0",
            "SELECT count(*) FROM rows must be 0.0",
        ),
    ),
}


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        pytest.param(kind, *case, id=f"{kind}: {name}")
        for kind, cases in (("breaking", BREAKING), ("stricter", STRICTER), ("harmless", HARMLESS))
        for name, case in cases.items()
    ],
)
def test_each_change_is_named_with_its_place_and_its_kind(kind, change, expected):
    found = changed(change)
    assert told(found) == [(kind, *expected)]
    steps = {"breaking": "major", "stricter": "minor", "harmless": "patch"}
    assert found.due == steps[kind]
    assert (found.taken, found.is_enough) == (None, False)


def test_a_new_optional_column_is_harmless_but_needs_a_minor_version():
    found = changed(lambda t: columns(t).append(NEW_OPTIONAL))
    assert told(found) == [("harmless", "column new", "added, optional", None, "string")]
    assert found.due == "minor"


def test_a_column_is_renamed_only_if_there_is_no_doubt():
    def two(t: Table) -> None:
        columns(t).extend([{**t["size"], "name": "bytes"}, {**t["size"], "name": "octets"}])
        t["table"]["properties"] = [c for c in columns(t) if c["name"] != "size"]

    kinds = [(c.place, c.what) for c in changed(two).changes]
    assert kinds == [
        ("column size", "removed"),
        ("column bytes", "added, optional"),
        ("column octets", "added, optional"),
    ]

    def other(t: Table) -> None:
        t["size"].update(name="bytes", description="Otherwise.")

    assert [c.what for c in changed(other).changes] == ["removed", "added, optional"]


@pytest.mark.parametrize(
    ("old", "new", "taken"),
    [
        ("1.2.3", "1.2.3", None),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "2.0.0", "major"),
        ("1.2.3", "1.10.0", "minor"),
        ("1.9.0", "1.10.0", "minor"),
        ("9.0.0", "10.0.0", "major"),
        ("1.2.3", "1.2.2", None),
        ("1.2.3", "0.9.9", None),
        ("1.2.3", "1.3.0-rc.1+build", "minor"),
        ("1.2.3", "next", None),
        ("1.2.3", "2", None),
    ],
)
def test_the_step_of_a_version_is_read_off_its_numbers(old, new, taken):
    before, now = ({**PLAIN, "version": version} for version in (old, new))
    found = compare(contract(before), contract(now))
    assert (found.due, found.taken, found.is_enough) == (None, taken, True)


@pytest.mark.parametrize(
    ("cases", "version", "is_enough"),
    [
        (BREAKING, "2.0.0", True),
        (BREAKING, "1.3.0", False),
        (BREAKING, "1.2.4", False),
        (STRICTER, "2.0.0", True),
        (STRICTER, "1.3.0", True),
        (STRICTER, "1.2.4", False),
        (HARMLESS, "1.2.4", True),
        (HARMLESS, "1.2.3", False),
    ],
)
def test_a_version_is_enough_or_not(cases, version, is_enough):
    for change, _ in cases.values():
        found = changed(change, version)
        assert found.is_enough == is_enough
        assert ("which is enough" in found.sentence()) == is_enough
        assert ("which is not enough" in found.sentence()) != is_enough


def test_before_the_first_version_a_minor_one_stands_for_a_major():
    young = contract({**PLAIN, "version": "0.2.0"})
    plain = copy.deepcopy(PLAIN)
    plain["schema"][0]["properties"].pop()
    found = compare(young, contract({**plain, "version": "0.3.0"}))
    assert (found.due, found.taken, found.is_enough) == ("minor", "minor", True)
    assert not compare(young, contract({**plain, "version": "0.2.1"})).is_enough


def test_nothing_differs_from_itself_and_all_shipped_ones_compare():
    contracts = [load_contract(name) for name in shipped()]
    for one in contracts:
        assert compare(one, one).changes == ()
        assert "Nothing differs" in compare(one, one).sentence()
        for other in contracts:
            found = compare(one, other)
            assert json.dumps(found.plain())
            assert found.due == (None if one is other else "major")
    assert len(contracts) > 5


def test_any_changes_together_are_those_that_each_is():
    cases = {**BREAKING, **STRICTER, **HARMLESS}
    alone = ["type", "optional", "value added", "stop removed", "rule added", "unit", "owner"]
    seen = set()

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(alone), min_size=1, max_size=5, unique=True))
    def check(names: list[str]) -> None:
        def change(t: Table) -> None:
            for name in names:
                cases[name][0](t)

        found = changed(change)
        expected = {(k, *cases[n][1]) for n in names for k in KINDS if n in _cases(k)}
        assert set(told(found)) == expected
        kinds = [c.kind for c in found.changes]
        assert kinds == sorted(kinds, key=KINDS.index)
        assert {kind: found.count(kind) for kind in KINDS} == {k: kinds.count(k) for k in KINDS}
        seen.add(len(names))

    check()
    assert len(seen) > 2


def _cases(kind: str) -> dict[str, Any]:
    return {"breaking": BREAKING, "stricter": STRICTER, "harmless": HARMLESS}[kind]
