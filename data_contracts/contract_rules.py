"""The rules of a contract: what its columns declare, and what stands under ``quality``.

A column's declarations become rules of their own: ``physicalType`` -> ``<column>.type``,
``required`` -> ``.not_null``, ``unique`` or ``primaryKey`` -> ``.unique`` (of several columns
together: ``primary_key``), ``enum`` -> ``.values``,
and of ``logicalTypeOptions`` ``minimum``, ``maximum`` and their ``exclusive…`` -> ``.range``,
``pattern`` -> ``.pattern``, ``minLength``, ``maxLength`` -> ``.length``. They stop; what stands
under ``quality`` says itself.
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
from data_contracts.limits import OPERATORS, ZERO, Limit, limit_in
from store.hints import nearest

GREAT_EXPECTATIONS = ("greatexpectations", "great-expectations", "great_expectations")
MILLRACE = "millrace"
# metric of the standard's library -> the arguments that it takes here
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern", "minLength", "maxLength"),
    "duplicateValues": ("properties",),
    "rowCount": (),
}
_ARGUMENT_TYPES: dict[str, type] = {
    "validValues": list,
    "missingValues": list,
    "properties": list,
    "pattern": str,
    "minLength": int,
    "maxLength": int,
}
# what may stand under logicalTypeOptions and is not checked, which the results say
_UNCHECKED = ("multipleOf", "uniqueItems", "minItems", "maxItems", "minProperties", "maxProperties")
_BOUNDS = {  # option of the standard -> arguments of Great Expectations
    "minimum": ("min_value", None),
    "exclusiveMinimum": ("min_value", "strict_min"),
    "maximum": ("max_value", None),
    "exclusiveMaximum": ("max_value", "strict_max"),
}
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
    key = [item["name"] for item in properties if item.get("primaryKey")]
    if len(key) > 1:
        what = f"No two rows share {' and '.join(key)}."
        together = Count("duplicateValues", {"properties": key}, ZERO)
        yield Rule("primary_key", "stop", what, together)
    for item in properties:
        for kind, what, check in _column_checks(item, is_key=key == [item["name"]]):
            yield Rule(f"{item['name']}.{kind}", "stop", what, check, item["name"])
    for item in properties:
        yield from quality_rules(item, path, item["name"])


def _column_checks(item: Mapping[str, Any], is_key: bool) -> Iterator[tuple[str, str, Check]]:
    name, options = item["name"], item.get("logicalTypeOptions") or {}
    if item.get("physicalType"):
        yield "type", f"Its type is {item['physicalType']}.", HasType(item["physicalType"])
    if item.get("required"):
        yield "not_null", "Every row has a value.", Count("nullValues", {}, ZERO)
    if item.get("unique") or is_key:
        yield "unique", "No value stands twice.", Count("duplicateValues", {}, ZERO)
    if item.get("enum"):
        values = [entry["value"] for entry in item["enum"]]
        kwargs = {"column": name, "value_set": values}
        listed = ", ".join(map(str, values))
        yield "values", f"One of {listed}.", Expect("expect_column_values_to_be_in_set", kwargs)
    yield from _range_checks(name, options)
    if options.get("pattern"):
        pattern = {"pattern": options["pattern"]}
        what = f"Matches {options['pattern']} as a whole."
        yield "pattern", what, Count("invalidValues", pattern, ZERO)
    lengths = {key: options[key] for key in ("minLength", "maxLength") if key in options}
    if lengths:
        what = ", ".join(f"{key} {value}" for key, value in lengths.items())
        yield "length", f"Characters: {what}.", Count("invalidValues", lengths, ZERO)
    for option in _UNCHECKED:
        if option in options:
            yield option, f"{option} {options[option]}.", NotRun("Millrace does not check it")


def _range_checks(name: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str, Check]]:
    given = [option for option in _BOUNDS if options.get(option) is not None]
    if not given:
        return
    kwargs: dict[str, Any] = {"column": name}
    for option in given:
        bound, strict = _BOUNDS[option]
        kwargs |= {bound: options[option]} | ({strict: True} if strict else {})
    low, high = kwargs.get("min_value", "any"), kwargs.get("max_value", "any")
    marks = [f" ({option})" for option in given if option.startswith("exclusive")]
    what = f"Between {low} and {high}{''.join(marks)}."
    yield "range", what, Expect("expect_column_values_to_be_between", kwargs)


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
    limit = _limit(quality, where)
    if limit is None:
        raise ContractError(f"{where} has no limit; give one of {', '.join(OPERATORS)}.")
    if str(quality.get("unit", "rows")).lower() == "percent":
        raise ContractError(f"{where} is in percent; Millrace counts rows, or write type: sql.")
    if kind == "sql":
        return Query(_filled(quality["query"], column), _examples(quality, column), limit)
    arguments = dict(quality.get("arguments") or {})
    _check_arguments(quality["metric"], arguments, where)
    if quality["metric"] != "rowCount" and column is None and "properties" not in arguments:
        raise ContractError(
            f"{where}: {quality['metric']} is of a column; move it there, or name columns in "
            f"arguments.properties."
        )
    return Count(quality["metric"], arguments, limit)


def _check_arguments(metric: str, arguments: Mapping[str, Any], where: str) -> None:
    """Raise ContractError at an argument that would be passed over, or that does not fit."""
    known = _ARGUMENTS[metric]
    for name, value in arguments.items():
        if name not in known:
            hint = nearest(name, known) if known else "it takes none."
            raise ContractError(f"{where}: {metric} takes no argument {name!r}; {hint}")
        if not isinstance(value, _ARGUMENT_TYPES[name]) or isinstance(value, bool):
            kind = _ARGUMENT_TYPES[name].__name__
            raise ContractError(f"{where}: {name} is {value!r}; give a {kind}.")
    if metric == "invalidValues" and not arguments:
        raise ContractError(f"{where}: say what is valid; give one of {', '.join(known)}.")


def _limit(values: Mapping[str, Any], where: str) -> Limit | None:
    try:
        return limit_in(values)
    except ContractError as error:
        raise ContractError(f"{where}: {error}") from error


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
    limit = _limit(body, where) if isinstance(body, dict) else None
    if limit is None or "measure" not in body:
        raise ContractError(
            f"{where}: implementation must name a measure and one limit, such as "
            f"{{measure: drift, of: num_words, mustBeLessOrEqualTo: 0.25}}."
        )
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
