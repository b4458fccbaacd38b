"""Reading a contract file: YAML, held against the standard's own schema, made a `Contract`."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml

from data_contracts.contract import SUITES, Column, Contract, Rule, shipped
from data_contracts.contract_rules import custom_property, declared_rules, quality_rules
from data_contracts.errors import ContractError, NotFound
from store.hints import nearest
from store.identity import fingerprint

MAX_CHARS = 1_000_000  # of a contract, with what its aliases stand for
MAX_DEPTH = 50
_MAX_MESSAGE = 300

_SECONDS = {
    **dict.fromkeys(("s", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def load_contract(name: str | Path) -> Contract:
    """Read a contract: a file, or the shipped one of a dataset by its name.

    Raises:
        NotFound: if there is neither. ContractError: if the file is not a contract; it says where.
    """
    path = Path(name)
    if str(name) in shipped():
        path = shipped()[str(name)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # not there, not a file, not UTF-8, not even a name
        if os.path.exists(path):
            raise ContractError(f"{path} cannot be read as a contract ({error}).") from error
        raise NotFound(
            f"There is no contract file {name}, nor a shipped contract of that name; "
            f"{nearest(str(name), shipped())}"
        ) from error
    return read_contract(text, str(path))


@lru_cache(maxsize=64)
def read_contract(text: str, path: str) -> Contract:
    """Make a contract out of YAML; ``path`` names it in errors.

    Raises:
        ContractError: naming the place within the file and what should stand there.
    """
    plain = _plain(text, path, is_shipped=Path(path).parent == SUITES)
    objects = plain.get("schema") or []
    if len(objects) != 1:
        raise ContractError(
            f"{path}: schema lists {len(objects)} datasets; Millrace reads one contract per "
            f"dataset, so give each its own file."
        )
    (table,) = objects
    items = table.get("properties", [])
    one_key = sum(bool(item.get("primaryKey")) for item in items) == 1
    columns = tuple(_column(item, one_key) for item in items)
    rules = (*declared_rules(table, path), *quality_rules(table, path))
    _check_names(columns, "columns", path)
    _check_names(rules, "rules", path)
    described = plain.get("description") or {}
    checked = {"dataset": table["name"], "rules": [_identity(rule) for rule in rules]}
    return Contract(
        dataset=table["name"],
        id=plain["id"],
        version=plain["version"],
        owner=_owner(plain),
        description=table.get("description") or described.get("purpose") or "",
        columns=columns,
        rules=rules,
        freshness_seconds=_freshness(plain, path),
        path=path,
        digest=fingerprint(checked),
        plain=plain,
    )


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a key that stands twice, of which YAML would keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(getattr(key, "value", None) for key, _ in node.value)
        twice = [key for key, times in keys.items() if times > 1 and key != "<<"]
        if twice:
            raise yaml.YAMLError(f"{twice[0]!r} stands twice in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _check_shape(text: str) -> None:
    """Refuse YAML that is huge, deep, or made huge by aliases of aliases, before it is built."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"it has {len(text):,} characters, more than {MAX_CHARS:,}")
    sizes: dict[str | None, int] = {}
    open_nodes: list[list[Any]] = [[None, 0]]  # anchor, size so far
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            size = 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                where = f"alias *{event.anchor} in line {event.start_mark.line + 1}"
                raise ValueError(f"the {where} is of nothing before it")
            size = sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            size = sizes[event.anchor] = 1 + len(event.value)
        else:
            continue
        open_nodes[-1][1] += size
        if len(open_nodes) > MAX_DEPTH or open_nodes[-1][1] > MAX_CHARS:
            where = event.start_mark.line + 1
            raise ValueError(f"in line {where} it is too deep, or its aliases make it too large")


def _plain(text: str, path: str, is_shipped: bool) -> dict[str, Any]:
    """Parse YAML and hold it against the standard's schema, as the tests do for shipped files."""
    try:
        _check_shape(text)
        plain = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        # What YAML reads as a date is text in the standard; anything else has a JSON form.
        plain = json.loads(json.dumps(plain, default=str, allow_nan=False))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise ContractError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(plain, dict):
        raise ContractError(f"{path} is not a data contract: it is not a mapping.")
    found = [] if is_shipped else _validator().iter_errors(plain)
    errors = sorted(found, key=lambda error: list(map(str, error.path)))
    if errors:
        raise ContractError(
            f"{path} is not a contract of the Open Data Contract Standard: {_told(errors)}."
        )
    return plain


def _told(errors: list[Any]) -> str:
    """Say where a file departs from the standard's schema, by the error that lies deepest."""
    deepest = max(errors, key=lambda error: len(error.path))
    places = list(map(str, deepest.absolute_path))
    column = deepest.instance if places[-2:-1] == ["properties"] else None
    if isinstance(column, dict) and "logicalType" not in column:
        # The schema then asks for what each logical type needs, of which "map" comes first.
        return f"column {column.get('name')!r} has no logicalType, such as string or integer"
    if places[-2:-1] == ["quality"] and isinstance(deepest.instance, dict):
        known = _rule_keys()
        for key in (key for key in deepest.instance if key not in known):
            rule = deepest.instance.get("name", f"number {places[-1]}")
            return f"the rule {rule} has {key!r}, which no rule has; {nearest(key, sorted(known))}"
    where = "/".join(places) or "the top level"
    return f"at {where}: {shorten(deepest.message, _MAX_MESSAGE, placeholder=' …')}"


@cache
def _rule_keys() -> frozenset[str]:
    """Return the keys that the standard's schema knows of a rule, limits included."""
    parts = [part for name, part in _schema()["$defs"].items() if name.startswith("DataQuality")]
    parts += [choice for part in parts for choice in part.get("oneOf", ())]
    return frozenset(key for part in parts for key in part.get("properties", ()))


@cache
def _schema() -> Any:
    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    return json.loads(text)


@cache
def _validator() -> Any:
    from jsonschema import validators

    return validators.validator_for(_schema())(_schema())


def _column(item: Mapping[str, Any], one_key: bool) -> Column:
    return Column(
        name=item["name"],
        type=item.get("physicalType"),
        required=bool(item.get("required")),
        unique=bool(item.get("unique") or (one_key and item.get("primaryKey"))),
        description=item.get("description", ""),
        unit=custom_property(item, "unit"),
    )


def _check_names(items: Sequence[Column | Rule], what: str, path: str) -> None:
    for name, times in Counter(item.name for item in items).items():
        if times > 1:
            raise ContractError(f"{path}: {times} {what} are called {name!r}; rename all but one.")


def _identity(rule: Rule) -> dict[str, Any]:
    """Return what a rule checks, and what it says of it, in plain values."""
    check = {**vars(rule.check), "kind": type(rule.check).__name__}
    limit = check.get("limit")
    check |= {} if limit is None else {"limit": [limit.operator, limit.value]}
    said = {"name": rule.name, "severity": rule.severity, "column": rule.column}
    return {**said, "description": rule.description, "remedy": rule.remedy, "check": check}


def _owner(plain: Mapping[str, Any]) -> str:
    team = plain.get("team") or {}
    if isinstance(team, list):  # as the standard had it before 3.1
        return ", ".join(str(member.get("username") or member.get("name")) for member in team)
    return str(team.get("name") or plain.get("dataProduct") or "")


def _freshness(plain: Mapping[str, Any], path: str) -> float | None:
    for sla in plain.get("slaProperties", []):
        if sla["property"] in ("freshness", "fr"):
            unit, value = str(sla.get("unit", "d")), sla["value"]
            if (
                unit not in _SECONDS
                or isinstance(value, bool)
                or not isinstance(value, int | float)
            ):
                raise ContractError(
                    f"{path}: the service level 'freshness' is {value!r} {unit}; give a number and "
                    f"a unit of s, m, h or d."
                )
            return float(value) * _SECONDS[unit]
    return None
