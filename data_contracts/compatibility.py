"""What a new version of a contract changes for those who read the data and those who write them.

Readers rely on the contract: whatever lets data pass that the old version refused may break them.
Writers have to keep it: whatever refuses data that the old version let pass is stricter. The rest
is harmless. A check that can be shown neither to widen nor to narrow is taken to do both, and is
breaking. So is every change of a type: readers with types of their own read no other, wider or not.
What Millrace does not check (tags, customProperties, …) is compared as it is written.

Source: Semantic Versioning 2.0.0, of which a breaking change needs a major version, what is
stricter or new a minor one, all else a patch; before 1.0.0 the minor version stands for the major.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from data_contracts.contract import Column, Contract, Count, Expect, Measure, NotRun, Query, Rule
from data_contracts.narrowing import Relation, relation
from store.hints import counted

Kind = Literal["breaking", "stricter", "harmless"]
VersionStep = Literal["major", "minor", "patch"]

KINDS: tuple[Kind, ...] = ("breaking", "stricter", "harmless")
_STEPS: tuple[VersionStep, ...] = ("patch", "minor", "major")
_SEMANTIC = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")


@dataclass(frozen=True)
class Change:
    """One difference: where (``column doc_id``, ``rule known``), what, from what, to what."""

    kind: Kind
    place: str
    what: str
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True)
class Comparison:
    """All differences of two versions, breaking ones first, and what they ask of the version.

    ``due`` is the step that the changes need, None without changes; ``taken`` the one from version
    to version, None if it is none, goes back, or is of no semantic version.
    """

    old_version: str
    new_version: str
    changes: tuple[Change, ...]
    due: VersionStep | None
    taken: VersionStep | None

    @property
    def is_enough(self) -> bool:
        """Whether the version takes the step that the changes need."""
        return _rank(self.taken) >= _rank(self.due)

    def count(self, kind: Kind) -> int:
        """Count the changes of a kind."""
        return sum(change.kind == kind for change in self.changes)

    def sentence(self) -> str:
        """Say how many changes there are of each kind, which version they need, and whether so."""
        if self.due is None:
            return "Nothing differs but perhaps the version."
        numbers = ", ".join(f"{self.count(kind)} {kind}" for kind in KINDS if self.count(kind))
        step = f"{self.old_version} -> {self.new_version}"
        taken = f"is a {self.taken} version" if self.taken else "is no step forward"
        verdict = "which is enough" if self.is_enough else "which is not enough"
        what = counted(len(self.changes), "change")
        return f"{what} ({numbers}): due is a {self.due} version; {step} {taken}, {verdict}."

    def plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "is_enough": self.is_enough}


def compare(old: Contract, new: Contract) -> Comparison:
    """Return what differs between two versions of a contract, and the version that this needs."""
    changes = sorted(_changes(old, new), key=lambda change: KINDS.index(change.kind))
    due = _due(changes, old.version)
    return Comparison(old.version, new.version, tuple(changes), due, _taken(old, new))


def _changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _contract_changes(old, new)
    yield from _column_changes(old, new)
    yield from _rule_changes(old, new)


def _contract_changes(old: Contract, new: Contract) -> Iterator[Change]:
    for name in ("dataset", "id"):
        yield from _changed("contract", name, "breaking", getattr(old, name), getattr(new, name))
    yield from _changed("contract", "owner", "harmless", old.owner, new.owner)
    before, now = old.freshness_seconds, new.freshness_seconds
    if before != now:
        is_looser = now is None or (before is not None and now > before)
        kind: Kind = "breaking" if is_looser else "stricter"
        yield Change(kind, "contract", "freshness in seconds", _said(before), _said(now))
    handled = ("id", "version", "schema", "slaProperties", "team", "description")
    yield from _written("contract", old.plain, new.plain, handled)
    texts = [contract.plain.get("description") or {} for contract in (old, new)]
    yield from _written("description", texts[0], texts[1], ())
    yield from _written("service level", _levels(old), _levels(new), ("freshness", "fr"))
    before_table, now_table = _table(old), _table(new)
    in_table = ("name", "properties", "quality", "customProperties")
    yield from _written("dataset", before_table, now_table, in_table)
    yield from _written("dataset", _custom(before_table), _custom(now_table), ("exactColumns",))


def _column_changes(old: Contract, new: Contract) -> Iterator[Change]:
    before, now = ({c.name: c for c in contract.columns} for contract in (old, new))
    renamed = dict(_renamed(before, now))
    for name, other in renamed.items():
        yield Change("breaking", f"column {name}", "renamed", name, other)
    for name, column in before.items():
        if name not in now and name not in renamed:
            yield Change("breaking", f"column {name}", "removed", column.type)
    for name, column in now.items():
        if name in before:
            yield from _attribute_changes(before[name], column, _item(old, name), _item(new, name))
        elif name not in renamed.values():
            required: Kind = "stricter" if column.required else "harmless"
            what = "added, required" if column.required else "added, optional"
            yield Change(required, f"column {name}", what, None, column.type)
    common = [name for name in before if name in now]
    order = [name for name in now if name in before]
    yield from _changed("columns", "order", "harmless", ", ".join(common), ", ".join(order))


def _renamed(before: Mapping[str, Column], now: Mapping[str, Column]) -> Iterator[tuple[str, str]]:
    """Yield columns that are gone, each with the one new column that is declared just so."""
    gone = [c for name, c in before.items() if name not in now]
    came = [c for name, c in now.items() if name not in before]
    for column in gone:
        same = [c.name for c in came if _declared(c) == _declared(column) and column.description]
        rivals = [c for c in gone if _declared(c) == _declared(column)]
        if len(same) == len(rivals) == 1:
            yield column.name, same[0]


def _declared(column: Column) -> tuple[Any, ...]:
    return (column.type, column.required, column.unique, column.description, column.unit)


def _attribute_changes(
    old: Column, new: Column, old_item: Mapping[str, Any], new_item: Mapping[str, Any]
) -> Iterator[Change]:
    place = f"column {old.name}"
    for name, before, now in (
        ("type", old.type, new.type),
        ("logicalType", old_item.get("logicalType"), new_item.get("logicalType")),
    ):
        yield from _changed(place, name, "stricter" if before is None else "breaking", before, now)
    for name in ("required", "unique"):
        before, now = getattr(old, name), getattr(new, name)
        yield from _changed(place, name, "breaking" if before else "stricter", before, now)
    for name in ("description", "unit"):
        yield from _changed(place, name, "harmless", getattr(old, name), getattr(new, name))
    handled = ("name", "physicalType", "logicalType", "required", "unique", "primaryKey")
    told_by_rules = ("description", "enum", "logicalTypeOptions", "quality", "customProperties")
    yield from _written(place, old_item, new_item, (*handled, *told_by_rules))
    yield from _written(place, _custom(old_item), _custom(new_item), ("unit",))


def _rule_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Yield the changes of rules; those of columns that came or went are told with the column."""
    before, now = _rules(old), _rules(new)
    columns = {c.name for c in old.columns} & {c.name for c in new.columns}
    exact = [bool(contract.rules and _is_exact(contract)) for contract in (old, new)]
    kind: Kind = "breaking" if exact[0] else "stricter"
    yield from _changed("columns", "no others", kind, *exact)
    for name in {**before, **now}:
        rule = before.get(name) or now[name]
        if rule.column is not None and rule.column not in columns:
            continue
        yield from _of_rule(f"rule {name}", before.get(name), now.get(name))


def _of_rule(place: str, old: Rule | None, new: Rule | None) -> Iterator[Change]:
    if old is None or new is None:
        rule = old or new
        assert rule is not None
        what = f"{'removed' if new is None else 'added'}, {rule.severity}"
        kind: Kind = "stricter" if old is None else "harmless"
        if isinstance(rule.check, NotRun):
            kind = "harmless"
        elif old is not None and old.severity == "stop":
            kind = "breaking"
        yield Change(kind, place, what, _check_of(old), _check_of(new))
        return
    severity: Kind = "breaking" if old.severity == "stop" else "stricter"
    yield from _changed(place, "severity", severity, old.severity, new.severity)
    found = _relation(old, new)
    if found != "same":
        what = {"narrower": "narrowed", "wider": "widened"}.get(found, "changed")
        yield Change(_kind_of(found, old), place, what, _check_of(old), _check_of(new))
    else:
        if not isinstance(old.check, NotRun):
            yield from _changed(place, "check", "harmless", _check_of(old), _check_of(new))
        yield from _changed(place, "description", "harmless", old.description, new.description)
    yield from _changed(place, "remedy", "harmless", old.remedy, new.remedy)


def _relation(old: Rule, new: Rule) -> Relation:
    """Compare what two rules ask; what is not run asks for nothing."""
    if isinstance(old.check, NotRun) or isinstance(new.check, NotRun):
        if isinstance(old.check, NotRun) and isinstance(new.check, NotRun):
            return "same"
        return "narrower" if isinstance(old.check, NotRun) else "wider"
    return relation(old.check, new.check)


def _kind_of(found: Relation, old: Rule) -> Kind:
    if found == "narrower":
        return "stricter"
    if old.severity == "stop":
        return "breaking"
    return "harmless" if found == "wider" else "stricter"  # readers of a warning had no promise


def _rules(contract: Contract) -> dict[str, Rule]:
    """Return the rules, without those that say again what a column is declared to be."""
    declared = {"columns"}
    for column in contract.columns:
        kinds = {"type": column.type, "not_null": column.required, "unique": column.unique}
        declared |= {f"{column.name}.{kind}" for kind, is_declared in kinds.items() if is_declared}
    return {rule.name: rule for rule in contract.rules if rule.name not in declared}


def _is_exact(contract: Contract) -> bool:
    return any(getattr(rule.check, "exact", False) for rule in contract.rules)


def _check_of(rule: Rule | None) -> str | None:
    """Say what a rule checks, in few words."""
    if rule is None:
        return None
    check = rule.check
    if isinstance(check, Expect):
        named = {k: v for k, v in check.kwargs.items() if k != "column"}
        return f"{check.type} {_pairs(named)}".strip()
    if isinstance(check, Count):
        return " ".join(filter(None, (check.metric, _pairs(check.arguments), str(check.limit))))
    if isinstance(check, Query):
        return f"{' '.join(check.sql.split())} {check.limit}"
    if isinstance(check, Measure):
        return " ".join(filter(None, (check.name, _pairs(check.arguments), str(check.limit))))
    return check.why if isinstance(check, NotRun) else str(check)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _changed(place: str, what: str, kind: Kind, old: Any, new: Any) -> Iterator[Change]:
    if old != new:
        yield Change(kind, place, what, _said(old), _said(new))


def _written(
    place: str, old: Mapping[str, Any], new: Mapping[str, Any], handled: tuple[str, ...]
) -> Iterator[Change]:
    """Yield what else is written otherwise, which nobody checks."""
    for key in {**old, **new}:
        if key not in handled:
            yield from _changed(place, key, "harmless", old.get(key), new.get(key))


def _said(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)


def _table(contract: Contract) -> Mapping[str, Any]:
    return next(iter(contract.plain.get("schema", [])), {})


def _item(contract: Contract, name: str) -> Mapping[str, Any]:
    items = _table(contract).get("properties", [])
    return next((item for item in items if item["name"] == name), {})


def _custom(item: Mapping[str, Any]) -> dict[str, Any]:
    return {c["property"]: c["value"] for c in item.get("customProperties", [])}


def _levels(contract: Contract) -> dict[str, Any]:
    levels = contract.plain.get("slaProperties", [])
    return {level["property"]: f"{level['value']} {level.get('unit', '')}" for level in levels}


def _due(changes: list[Change], version: str) -> VersionStep | None:
    if not changes:
        return None
    kinds = {change.kind for change in changes}
    if "breaking" in kinds:
        return "minor" if _numbers(version)[:1] == [0] else "major"
    return "minor" if "stricter" in kinds or any(_is_new(c) for c in changes) else "patch"


def _is_new(change: Change) -> bool:
    return change.place.startswith("column ") and change.what.startswith("added")


def _taken(old: Contract, new: Contract) -> VersionStep | None:
    before, now = _numbers(old.version), _numbers(new.version)
    if not before or not now or now <= before:
        return None
    first = next(i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b)
    return _STEPS[::-1][first]


def _numbers(version: str) -> list[int]:
    found = _SEMANTIC.fullmatch(version)
    return [int(number) for number in found.groups()] if found else []


def _rank(step: VersionStep | None) -> int:
    return -1 if step is None else _STEPS.index(step)
