"""Reading a contract file: YAML, held against the standard's own schema, made a `Contract`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from data_contracts.contract import Column, Contract, Rule, shipped
from data_contracts.contract_rules import custom_property, declared_rules, quality_rules
from data_contracts.errors import ContractError, NotFound
from store.hints import nearest
from store.identity import fingerprint

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
    except (OSError, UnicodeDecodeError) as error:
        if path.exists():
            raise ContractError(f"{path} cannot be read as a contract ({error}).") from error
        raise NotFound(
            f"There is no contract file {name}, nor a shipped contract of that name; "
            f"{nearest(str(name), shipped())}"
        ) from error
    return read_contract(text, str(path))


def read_contract(text: str, path: str) -> Contract:
    """Make a contract out of YAML; ``path`` names it in errors.

    Raises:
        ContractError: naming the place within the file and what should stand there.
    """
    plain = _plain(text, path)
    objects = plain.get("schema") or []
    if len(objects) != 1:
        raise ContractError(
            f"{path}: schema lists {len(objects)} datasets; Millrace reads one contract per "
            f"dataset, so give each its own file."
        )
    (table,) = objects
    columns = tuple(_column(item) for item in table.get("properties", []))
    rules = (*declared_rules(table, path), *quality_rules(table, path))
    _check_names(rules, path)
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


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice, of which YAML would keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(getattr(key, "value", None) for key, _ in node.value)
        twice = [key for key, times in keys.items() if times > 1 and key != "<<"]
        if twice:
            raise yaml.YAMLError(f"{twice[0]!r} stands twice in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _plain(text: str, path: str) -> dict[str, Any]:
    """Parse YAML and hold it against the standard's schema."""
    try:
        plain = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        # What YAML reads as a date is text in the standard; anything else has a JSON form.
        plain = json.loads(json.dumps(plain, default=str))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise ContractError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(plain, dict):
        raise ContractError(f"{path} is not a data contract: it is not a mapping.")
    errors = sorted(_validator().iter_errors(plain), key=lambda error: list(map(str, error.path)))
    if errors:
        deepest = max(errors, key=lambda error: len(error.path))
        place = "/".join(map(str, deepest.absolute_path)) or "the top level"
        raise ContractError(
            f"{path} is not a contract of the Open Data Contract Standard: at {place}: "
            f"{deepest.message[:300]}."
        )
    return plain


@cache
def _validator() -> Any:
    from jsonschema import validators

    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    schema = json.loads(text)
    return validators.validator_for(schema)(schema)


def _column(item: Mapping[str, Any]) -> Column:
    return Column(
        name=item["name"],
        type=item.get("physicalType"),
        required=bool(item.get("required")),
        unique=bool(item.get("unique") or item.get("primaryKey")),
        description=item.get("description", ""),
        unit=custom_property(item, "unit"),
    )


def _check_names(rules: tuple[Rule, ...], path: str) -> None:
    for name, times in Counter(rule.name for rule in rules).items():
        if times > 1:
            raise ContractError(f"{path}: {times} rules are called {name!r}; rename all but one.")


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
