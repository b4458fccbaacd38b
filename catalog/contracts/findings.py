"""What was found of some rules in a dataset, remembered by all that it depends on.

Rules that look at the baseline are asked apart from those that do not, so that accepting a run has
nothing asked again but the former. Findings of a dataset lie under ``checks/findings``, those of
single partitions under ``checks/partitions``, so that a night looks at new partitions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from catalog.contracts.asking import Answers, ask_whole, views_of
from catalog.contracts.partition import check_parts, is_of_partitions, needs_files
from catalog.contracts.subject import CheckedPart, Subject
from catalog.contracts.tally import Tally, tally_from_plain, total
from catalog.contracts.whole import judge_totals, judge_whole, limit_of
from data_contracts.contract import Rule
from data_contracts.errors import Damaged
from data_contracts.gate import library_version
from store.datasets import sealed, unsealed
from store.identity import fingerprint
from store.storage import Storage

RULES_VERSION = 2  # of how rules are evaluated: a higher one checks everything again
FOLDER = "checks/findings"
PARTITIONS_FOLDER = "checks/partitions"


@dataclass(frozen=True)
class Findings:
    """A tally for each rule that was asked, the reason for each that was not.

    ``num_parts_checked`` counts the partitions that were read.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    num_parts_checked: int = 0


def find(
    storage: Storage | None,
    subject: Subject,
    groups: Sequence[Sequence[Rule]],
    key: Sequence[str],
) -> list[Findings]:
    """Hold a dataset against groups of rules, or return what was found of a group before.

    ``key`` names broken rows. All groups are asked at the same time, while partitions are checked.
    """
    with ThreadPoolExecutor(max(1, len(groups)), thread_name_prefix="ask") as pool:
        begun = [_begin(pool, storage, subject, rules, key) for rules in groups]
        return [finish() for finish in begun]


def _begin(
    pool: ThreadPoolExecutor,
    storage: Storage | None,
    subject: Subject,
    rules: Sequence[Rule],
    key: Sequence[str],
) -> Callable[[], Findings]:
    """Begin to ask what is not known of some rules; what returns gives their findings."""
    if not rules:
        return Findings
    name = _name(subject, rules, key)
    value = read_record(storage, name) if storage is not None else None
    if value is not None:
        known = {rule: tally_from_plain(tally) for rule, tally in value["tallies"].items()}
        return partial(Findings, known, value["skipped"])
    whole = [rule for rule in rules if not is_of_partitions(rule)]
    asking = pool.submit(ask_whole, subject, whole)

    def finish() -> Findings:
        found = _find(storage, subject, rules, key, asking)
        if storage is not None:
            tallies = {rule: tally.plain() for rule, tally in found.tallies.items()}
            of = {"step": subject.step, "dataset": subject.dataset}
            keep(storage, name, {**of, "tallies": tallies, "skipped": found.skipped})
        return found

    return finish


def _find(
    storage: Storage | None,
    subject: Subject,
    rules: Sequence[Rule],
    key: Sequence[str],
    asking: Future[Answers],
) -> Findings:
    """Check the partitions, and judge what was asked of the whole meanwhile."""
    of_parts = [rule for rule in rules if is_of_partitions(rule)]
    skipped: dict[str, str] = {}
    if any(part.stored is None for part in subject.parts):
        without = [rule.name for rule in of_parts if needs_files(rule)]
        skipped = dict.fromkeys(without, "the files of a stored partition are not here")
        of_parts = [rule for rule in of_parts if rule.name not in skipped]
    found, num_checked = _find_in_parts(storage, subject, of_parts, key) if of_parts else ([], 0)
    totals = {rule.name: total(tallies[rule.name] for tallies in found) for rule in of_parts}
    limited = [rule for rule in of_parts if limit_of(rule) is not None]
    of_whole = [rule for rule in rules if not is_of_partitions(rule)]
    whole, absent = judge_whole(subject, of_whole, asking.result())
    tallies = {**totals, **judge_totals(limited, totals), **whole}
    return Findings(tallies, {**skipped, **absent}, num_checked)


def _find_in_parts(
    storage: Storage | None, subject: Subject, rules: Sequence[Rule], key: Sequence[str]
) -> tuple[list[dict[str, Tally]], int]:
    """Check the partitions of whose content nothing is known; return all tallies, and how many."""
    known = [_known(storage, subject, part, rules, key) for part in subject.parts]
    unknown = [part for part, tallies in zip(subject.parts, known, strict=True) if tallies is None]
    checked = check_parts(unknown, rules, key)
    found = []
    for part, tallies in zip(subject.parts, known, strict=True):
        if tallies is None:
            tallies = next(checked)
            _keep_part(storage, subject, part, rules, key, tallies)
        found.append(tallies)
    return found, len(unknown)


def _known(
    storage: Storage | None,
    subject: Subject,
    part: CheckedPart,
    rules: Sequence[Rule],
    key: Sequence[str],
) -> dict[str, Tally] | None:
    """Return what was found of a partition's content before, if anything."""
    if storage is None or part.stored is None:
        return None
    value = read_record(storage, _part_name(subject, part, rules, key))
    if value is None:
        return None
    return {rule: tally_from_plain(tally) for rule, tally in value["rules"].items()}


def _keep_part(
    storage: Storage | None,
    subject: Subject,
    part: CheckedPart,
    rules: Sequence[Rule],
    key: Sequence[str],
    tallies: dict[str, Tally],
) -> None:
    """Remember what was found of a partition's content."""
    if storage is None or part.stored is None:
        return
    plain = {rule: tally.plain() for rule, tally in tallies.items()}
    record = {"step": subject.step, "part": part.stored.receipt.fingerprint, "rules": plain}
    keep(storage, _part_name(subject, part, rules, key), record)


def keep(storage: Storage, name: str, record: dict[str, Any]) -> None:
    """Write a record with its seal, over a damaged one if one is there."""
    if not storage.create_json(name, sealed(record)) and read_record(storage, name) is None:
        storage.replace_json(name, sealed(record))


def read_record(storage: Storage, name: str) -> dict[str, Any] | None:
    """Return a record, None if it is not there or not what was written."""
    try:
        value = storage.read_json(name)
        return None if value is None else unsealed(value, name, "")
    except Damaged:
        return None


def _name(subject: Subject, rules: Sequence[Rule], key: Sequence[str]) -> str:
    needed = {view for rule in rules for view in views_of(rule)}
    others = {view: found for view, found in subject.identity.items() if view in needed}
    made_from = {**_asked(rules, key), "dataset": subject.dataset, "others": others}
    return f"{FOLDER}/{subject.step}/{fingerprint(made_from)}.json"


def _part_name(
    subject: Subject, part: CheckedPart, rules: Sequence[Rule], key: Sequence[str]
) -> str:
    made_from = {**_asked(rules, key), "part": part.digest}
    return f"{PARTITIONS_FOLDER}/{subject.step}/{fingerprint(made_from)}.json"


def _asked(rules: Sequence[Rule], key: Sequence[str]) -> dict[str, Any]:
    """Return what findings depend on besides the data."""
    return {
        "rules": RULES_VERSION,
        "library": library_version(),
        "asked": [[rule.name, rule.column, str(rule.check)] for rule in rules],
        "key": list(key),
    }
