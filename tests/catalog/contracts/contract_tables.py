"""Small subjects and contracts that tests of the engine hold against each other, all in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from catalog.contracts.subject import CheckedPart, Subject
from data_contracts.contract import Contract, Count, Measure, Query, Rule
from data_contracts.limits import ZERO, Limit
from data_contracts.read_contract import read_contract


def subject(
    *tables: pa.Table,
    baseline: pa.Table | None = None,
    new_parts: Iterable[str] = (),
    others: Mapping[str, pa.Table] | None = None,
) -> Subject:
    """Return tables as the partitions p0, p1, … of a dataset ``things``."""
    parts = tuple(
        CheckedPart(f"p{n}", f"digest-{n}", table.schema, table) for n, table in enumerate(tables)
    )
    rows = [
        table.append_column("part", pa.array([f"p{n}"] * len(table), pa.string()))
        for n, table in enumerate(tables)
    ]
    return Subject(
        name="things",
        step="",
        dataset="dataset",
        parts=parts,
        rows=pa.concat_tables(rows),
        others=dict(others or {}),
        baseline=baseline,
        new_parts=frozenset(new_parts),
    )


def contract(
    columns: Iterable[Mapping[str, Any]] = (),
    quality: Iterable[Mapping[str, Any]] = (),
    exact: bool = False,
    **more: Any,
) -> Contract:
    """Return a contract of ``things`` with these columns and rules, and more at the top level."""
    table: dict[str, Any] = {"name": "things", "quality": list(quality)}
    if exact:
        table["customProperties"] = [{"property": "exactColumns", "value": True}]
    if columns:
        table["properties"] = [{"logicalType": "string", **column} for column in columns]
    whole = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "things",
        "version": "1.0.0",
        "status": "active",
        "schema": [table],
        **more,
    }
    return read_contract(json.dumps(whole), "things.yaml")


def count(metric: Any, column: str | None = "x", limit: Limit = ZERO, **arguments: Any) -> Rule:
    """Return a rule that counts."""
    return Rule(f"{column}.{metric}", "stop", "", Count(metric, arguments, limit), column)


def query(sql: str, limit: Limit = ZERO, examples: str | None = None) -> Rule:
    """Return a rule that asks SQL."""
    return Rule("asked", "stop", "", Query(sql, examples, limit))


def measure(name: str, limit: Limit = ZERO, **arguments: Any) -> Rule:
    """Return a rule that measures."""
    return Rule("measured", "stop", "", Measure(name, arguments, limit))
