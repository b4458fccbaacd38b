"""The rules of a contract: what its columns declare, and what stands under ``quality``.

A column's declarations become rules of their own: ``physicalType`` -> ``<column>.type``,
``required`` -> ``.not_null``, ``unique`` or ``primaryKey`` -> ``.unique``, ``enum`` -> ``.values``,
and of ``logicalTypeOptions`` ``minimum``/``maximum`` -> ``.range``, ``pattern`` -> ``.pattern``,
``minLength``/``maxLength`` -> ``.length``. They stop; what stands under ``quality`` says itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data_contracts.contract import (
    Check,
    Count,
    Expect,
    HasColumns,
    HasType,
    Measure,
    NotRun,
    Query,
    Rule,
    Severity,
)
from data_contracts.errors import ContractError
from data_contracts.limits import OPERATORS, ZERO, limit_in
from store.hints import nearest

GREAT_EXPECTATIONS = ("greatexpectations", "great-expectations", "great_expectations")
MILLRACE = "millrace"
_SEVERITIES: dict[str, Severity] = {
    "stop": "stop",
    "error": "stop",
    "critical": "stop",
    "warn": "warn",
    "warning": "warn",
    "info": "warn",
}


def declared_rules(table: Mapping[str, Any], path: str) -> Iterator[Rule]:
    """Yield the rules that the declarations of the columns are."""
    properties = table.get("properties", [])
    if properties:
        names = tuple(item["name"] for item in properties)
        exact = bool(custom_property(table, "exactColumns"))
        and_no_other = " and no others" if exact else ""
        what = f"The {len(names)} declared columns are there{and_no_other}."
        yield Rule("columns", "stop", what, HasColumns(names, exact))
    for item in properties:
        for kind, what, check in _column_checks(item):
            yield Rule(f"{item['name']}.{kind}", "stop", what, check, item["name"])
    for item in properties:
        yield from quality_rules(item, path, item["name"])


def _column_checks(item: Mapping[str, Any]) -> Iterator[tuple[str, str, Check]]:
    name, options = item["name"], item.get("logicalTypeOptions") or {}
    if item.get("physicalType"):
        yield "type", f"Its type is {item['physicalType']}.", HasType(item["physicalType"])
    if item.get("required"):
        yield "not_null", "Every row has a value.", Count("nullValues", {}, ZERO)
    if item.get("unique") or item.get("primaryKey"):
        yield "unique", "No value stands twice.", Count("duplicateValues", {}, ZERO)
    if item.get("enum"):
        values = [entry["value"] for entry in item["enum"]]
        kwargs = {"column": name, "value_set": values}
        listed = ", ".join(map(str, values))
        yield "values", f"One of {listed}.", Expect("expect_column_values_to_be_in_set", kwargs)
    low, high = options.get("minimum"), options.get("maximum")
    if low is not None or high is not None:
        kwargs = {"column": name, "min_value": low, "max_value": high}
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        bounds = f"{'any' if low is None else low} to {'any' if high is None else high}"
        what = f"Between {bounds}."
        yield "range", what, Expect("expect_column_values_to_be_between", kwargs)
    if options.get("pattern"):
        pattern = {"pattern": options["pattern"]}
        what = f"Matches {options['pattern']} as a whole."
        yield "pattern", what, Count("invalidValues", pattern, ZERO)
    lengths = {key: options[key] for key in ("minLength", "maxLength") if key in options}
    if lengths:
        what = ", ".join(f"{key} {value}" for key, value in lengths.items())
        yield "length", f"Characters: {what}.", Count("invalidValues", lengths, ZERO)


def quality_rules(item: Mapping[str, Any], path: str, column: str | None = None) -> Iterator[Rule]:
    """Yield the rules that stand under ``quality`` of a column or of the dataset."""
    for number, quality in enumerate(item.get("quality", []), start=1):
        where = f"{path}: quality rule {number} of {item['name']}"
        name = quality.get("name")
        if not name:
            raise ContractError(f"{where} has no name, by which its results could be found.")
        severity = str(quality.get("severity", "stop")).lower()
        if severity not in _SEVERITIES:
            known = nearest(severity, _SEVERITIES)
            raise ContractError(f"{where} ({name}): severity is {severity!r}; {known}")
        yield Rule(
            name=f"{column}.{name}" if column else name,
            severity=_SEVERITIES[severity],
            description=" ".join(str(quality.get("description", "")).split()),
            check=_quality_check(quality, f"{where} ({name})", column),
            column=column,
            remedy=custom_property(quality, "remedy"),
        )


def _quality_check(quality: Mapping[str, Any], where: str, column: str | None) -> Check:
    kind = quality.get("type", "library")
    if kind == "text":
        return NotRun("it is text for people")
    if kind == "custom":
        return _custom_check(quality, where, column)
    limit = limit_in(quality)
    if limit is None:
        raise ContractError(f"{where} has no limit; give one of {', '.join(OPERATORS)}.")
    if kind == "sql":
        return Query(_filled(quality["query"], column), _examples(quality, column), limit)
    arguments = dict(quality.get("arguments") or {})
    if quality["metric"] != "rowCount" and column is None and "properties" not in arguments:
        raise ContractError(
            f"{where}: {quality['metric']} is of a column; move it there, or name columns in "
            f"arguments.properties."
        )
    return Count(quality["metric"], arguments, limit)


def _custom_check(quality: Mapping[str, Any], where: str, column: str | None) -> Check:
    engine, body = str(quality["engine"]), quality["implementation"]
    if engine.lower() in GREAT_EXPECTATIONS:
        type_ = isinstance(body, dict) and (body.get("type") or body.get("expectation_type"))
        if not type_:
            raise ContractError(f"{where}: implementation must be a mapping of type and kwargs.")
        kwargs = dict(body.get("kwargs") or {})
        if column is not None:
            kwargs.setdefault("column", column)
        return Expect(str(type_), kwargs)
    if engine.lower() != MILLRACE:
        return NotRun(f"it is for the engine {engine}, which Millrace does not run")
    if not isinstance(body, dict) or "measure" not in body or limit_in(body) is None:
        raise ContractError(
            f"{where}: implementation must name a measure and one limit, such as "
            f"{{measure: drift, of: num_words, mustBeLessOrEqualTo: 0.25}}."
        )
    limit = limit_in(body)
    assert limit is not None
    names = {"measure", limit.operator}
    arguments = {key: value for key, value in body.items() if key not in names}
    return Measure(str(body["measure"]), arguments, limit)


def _examples(quality: Mapping[str, Any], column: str | None) -> str | None:
    examples = custom_property(quality, "examples")
    return None if examples is None else _filled(str(examples), column)


def _filled(sql: str, column: str | None) -> str:
    """Put the names in that the standard leaves open: ``${table}`` and ``${column}``."""
    for name in ("${table}", "${object}"):
        sql = sql.replace(name, "rows")
    quoted = '"' + (column or "").replace('"', '""') + '"'
    for name in ("${column}", "${property}"):
        sql = sql.replace(name, quoted)
    return sql


def custom_property(item: Mapping[str, Any], name: str) -> Any:
    """Return a custom property of an element, or None."""
    found = (c["value"] for c in item.get("customProperties", []) if c["property"] == name)
    return next(found, None)
