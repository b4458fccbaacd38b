"""The rules that a contract's declarations and quality sections are."""

from __future__ import annotations

from typing import Any

import pytest

from data_contracts.contract import (
    Count,
    Expect,
    HasColumns,
    HasType,
    Measure,
    NotRun,
    Query,
    Rule,
)
from data_contracts.contract_rules import custom_property, declared_rules, quality_rules
from data_contracts.errors import ContractError
from data_contracts.limits import ZERO, Limit

BETWEEN = "expect_column_values_to_be_between"


def declared(*properties: dict[str, Any], **table: Any) -> dict[str, Rule]:
    whole = {"name": "t", "properties": list(properties), **table}
    return {rule.name: rule for rule in declared_rules(whole, "t.yaml")}


def of_quality(column: str | None = None, **quality: Any) -> Rule:
    item = {"name": column or "t", "quality": [{"name": "r", **quality}]}
    (rule,) = quality_rules(item, "t.yaml", column)
    return rule


def test_each_declaration_is_a_rule_that_stops():
    rules = declared(
        {
            "name": "c",
            "physicalType": "string",
            "required": True,
            "unique": True,
            "enum": [{"value": "a"}, {"value": "b", "description": "B"}],
            "logicalTypeOptions": {"pattern": "[ab]", "minLength": 1, "maxLength": 3},
        }
    )
    values = {"column": "c", "value_set": ["a", "b"]}
    assert {name: rule.check for name, rule in rules.items()} == {
        "columns": HasColumns(("c",), False),
        "c.type": HasType("string"),
        "c.not_null": Count("nullValues", {}, ZERO),
        "c.unique": Count("duplicateValues", {}, ZERO),
        "c.values": Expect("expect_column_values_to_be_in_set", values),
        "c.pattern": Count("invalidValues", {"pattern": "[ab]"}, ZERO),
        "c.length": Count("invalidValues", {"minLength": 1, "maxLength": 3}, ZERO),
    }
    assert {rule.severity for rule in rules.values()} == {"stop"}
    assert all(rule.description for rule in rules.values())
    assert all(rule.column == "c" for name, rule in rules.items() if name != "columns")


def test_what_is_not_declared_is_no_rule():
    assert declared() == {}
    assert list(declared({"name": "c", "logicalType": "string", "required": False})) == ["columns"]
    exact = {"customProperties": [{"property": "exactColumns", "value": True}]}
    assert declared({"name": "c"}, **exact)["columns"].check == HasColumns(("c",), True)


@pytest.mark.parametrize(
    ("options", "kwargs"),
    [
        ({"minimum": 0}, {"min_value": 0}),
        ({"maximum": 1}, {"max_value": 1}),
        ({"minimum": 0, "maximum": 1}, {"min_value": 0, "max_value": 1}),
        ({"exclusiveMinimum": 0}, {"min_value": 0, "strict_min": True}),
        (
            {"exclusiveMaximum": 1, "minimum": 0},
            {"min_value": 0, "max_value": 1, "strict_max": True},
        ),
    ],
)
def test_bounds_may_belong_to_the_range_or_not(options, kwargs):
    rule = declared({"name": "c", "logicalTypeOptions": options})["c.range"]
    assert rule.check == Expect(BETWEEN, {"column": "c", **kwargs})


def test_one_primary_key_is_unique_and_several_are_so_together():
    assert "a.unique" in declared({"name": "a", "primaryKey": True}, {"name": "b"})
    rules = declared(
        {"name": "a", "primaryKey": True},
        {"name": "b", "primaryKey": True},
        {"name": "c", "unique": True},
    )
    assert set(rules) == {"columns", "primary_key", "c.unique"}
    assert rules["primary_key"].check == Count("duplicateValues", {"properties": ["a", "b"]}, ZERO)


def test_options_that_are_not_checked_are_told_as_not_run():
    rules = declared({"name": "c", "logicalTypeOptions": {"multipleOf": 2, "format": "i32"}})
    assert isinstance(rules["c.multipleOf"].check, NotRun)
    assert set(rules) == {"columns", "c.multipleOf"}


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("stop", "stop"),
        ("Error", "stop"),
        ("CRITICAL", "stop"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("info", "warn"),
    ],
)
def test_severities_are_two(said, severity):
    assert of_quality(metric="rowCount", mustBe=1, severity=said).severity == severity
    assert of_quality(metric="rowCount", mustBe=1).severity == "stop"


def test_a_rule_of_a_column_carries_its_name_its_text_and_its_remedy():
    rule = of_quality(
        "c",
        metric="nullValues",
        mustBeLessThan=3,
        description="Few\n  are null.",
        customProperties=[{"property": "remedy", "value": "Mend it."}],
    )
    assert (rule.name, rule.column) == ("c.r", "c")
    assert (rule.description, rule.remedy) == ("Few are null.", "Mend it.")
    assert rule.check == Count("nullValues", {}, Limit("mustBeLessThan", 3))


def test_sql_has_the_names_filled_in():
    examples = [{"property": "examples", "value": "SELECT ${property} FROM ${object}"}]
    rule = of_quality(
        'a "b"',
        type="sql",
        query="SELECT count(${column}) FROM ${table}",
        mustBe=0,
        customProperties=examples,
    )
    assert rule.check == Query(
        'SELECT count("a ""b""") FROM rows', 'SELECT "a ""b""" FROM rows', ZERO
    )


@pytest.mark.parametrize(
    "engine", ["greatExpectations", "great-expectations", "GREAT_EXPECTATIONS"]
)
def test_expectations_of_great_expectations_are_taken_as_they_are(engine):
    body = {"type": "expect_column_max_to_be_between", "kwargs": {"max_value": 3}}
    rule = of_quality("c", type="custom", engine=engine, implementation=body)
    assert rule.check == Expect(body["type"], {"max_value": 3, "column": "c"})
    old = {"expectation_type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}}
    rule = of_quality(type="custom", engine=engine, implementation=old)
    assert rule.check == Expect(old["expectation_type"], {"value": 3})


def test_measures_have_a_limit_and_arguments():
    body = {"measure": "drift", "of": "x", "bins": 5, "mustBeLessThan": 0.2}
    rule = of_quality(type="custom", engine="millrace", implementation=body)
    assert rule.check == Measure("drift", {"of": "x", "bins": 5}, Limit("mustBeLessThan", 0.2))


def test_text_and_other_engines_are_not_run():
    assert isinstance(of_quality(type="text").check, NotRun)
    soda = of_quality(type="custom", engine="soda", implementation="checks: …").check
    assert isinstance(soda, NotRun)
    assert "soda" in soda.why


def counting(metric: str, **arguments: Any) -> dict[str, Any]:
    return {"metric": metric, "mustBe": 0, "arguments": arguments}


def custom(engine: str, body: Any) -> dict[str, Any]:
    return {"type": "custom", "engine": engine, "implementation": body}


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        ({"metric": "nullValues", "mustBe": 0}, "is of a column"),
        (counting("nullValues", properties=["a"]), "it takes none"),
        (counting("rowCount", validValues=[]), "it takes none"),
        (counting("invalidValues"), "say what is valid"),
        (counting("invalidValues", validValue=["a"]), "did you mean 'validValues'"),
        (counting("invalidValues", validValues="a"), "give a list"),
        (counting("invalidValues", minLength="2"), "give a int"),
        (counting("invalidValues", minLength=True), "give a int"),
        (counting("missingValues", missingValues=5), "give a list"),
        (counting("duplicateValues", properties="a"), "give a list"),
        (custom("millrace", "drift"), "must name a measure"),
        (custom("millrace", {"measure": "drift"}), "one limit"),
        (custom("millrace", {"measure": "drift", "mustBe": 0, "mustNotBe": 1}), "one limit"),
        (custom("millrace", {"of": "x", "mustBe": 0}), "must name a measure"),
        (custom("millrace", {"measure": "drift", "mustBeBetween": 5}), "two finite numbers"),
        (custom("greatExpectations", "x"), "type and kwargs"),
        (custom("greatExpectations", {}), "type and kwargs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_its_name(quality, said):
    column = None if "is of a column" in said else "c"
    with pytest.raises(ContractError, match=said) as error:
        of_quality(column, **quality)
    assert "t.yaml: quality rule 1 of" in str(error.value)
    assert "(r)" in str(error.value)


def test_custom_properties_are_found_by_name():
    item = {"customProperties": [{"property": "a", "value": 1}, {"property": "b", "value": None}]}
    assert [custom_property(item, name) for name in ("a", "b", "c")] == [1, None, None]
    assert custom_property({}, "a") is None
