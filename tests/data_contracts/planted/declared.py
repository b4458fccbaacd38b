"""Defects of what columns declare: type, nulls, uniqueness, values, range, pattern, length.

Each is planted in a row of its own, so that many are found at once and none hides another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as at
from planting import DEFECTS, Planted

from data_contracts.contract import Contract, Expect, HasColumns, HasType, Rule

KINDS = ("not_null", "unique", "values", "range", "pattern", "length")


def schema_rules(contract: Contract) -> list[Rule]:
    """Return the rules about columns and their types."""
    return [rule for rule in contract.rules if isinstance(rule.check, HasColumns | HasType)]


def value_rules(contract: Contract) -> list[Rule]:
    """Return the rules about the values of one column that its declaration makes."""
    written = {defect.rule for defect in DEFECTS if defect.dataset == contract.dataset}
    declared = [rule for rule in contract.rules if rule.name.rpartition(".")[2] in KINDS]
    return [rule for rule in declared if rule.name not in written]


def plant_types(planted: Planted, rules: Sequence[Rule]) -> None:
    """Give columns other types; for the rule about columns, add one that nobody declared."""
    planted.rows.clear()
    fields = []
    for field in planted.schema:
        spoiled = any(rule.column == field.name for rule in rules)
        other = pa.int64() if at.is_string(field.type) else pa.string()
        fields.append(field.with_type(other) if spoiled else field)
    columns = [rule.check for rule in rules if isinstance(rule.check, HasColumns)]
    if any(check.exact for check in columns):
        fields.append(pa.field("undeclared", pa.string()))
    elif columns:
        fields = [field for field in fields if field.name != columns[0].columns[-1]]
    planted.schema = pa.schema(fields)


def plant_values(planted: Planted, rules: Sequence[Rule], key: str) -> Iterator[str]:
    """Spoil a row for each rule; yield what names the row, or the value, in the rule's samples."""
    planted.schema = pa.schema([field.with_nullable(True) for field in planted.schema])
    while len(planted.rows) < 2 * len(rules):
        planted.rows.extend([dict(row) for row in planted.rows])
    for number, rule in enumerate(rules):
        assert rule.column is not None
        row = planted.rows[2 * number]
        row[rule.column] = _spoiled(rule, planted.rows[2 * number + 1][rule.column])
        named = rule.column if rule.name.endswith(".unique") else key
        yield f"{named}={row[named]!r}"


def _spoiled(rule: Rule, next_value: Any) -> Any:
    kind = rule.name.rpartition(".")[2]
    if kind == "range":
        assert isinstance(rule.check, Expect)
        return rule.check.kwargs["min_value"] - 1
    spoiled = {"unique": next_value, "values": "neither", "pattern": "no match!", "length": ""}
    return spoiled.get(kind)
