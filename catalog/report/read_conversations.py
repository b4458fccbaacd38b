"""The conversations' part of the report: what was read, packed, and learnt from."""

from __future__ import annotations

from typing import Any

from catalog.opened import CONVERSATIONS, SPLITS, OpenedRun
from catalog.report.facts import ConversationFacts, ConversationSide, Pretraining
from catalog.report.read_data import Ask, asking
from catalog.report.read_models import curve_of
from catalog.report.read_run import PRETRAIN, facts_of, has
from data_contracts.messages import ASIDE

PACKED = "pack_messages"
INSTRUCT = "instruct"
MAX_ERRORS = 12


def read_conversations(opened: OpenedRun) -> ConversationFacts | None:
    """Return what became of the run's conversations, or None if none were read.

    Raises:
        Damaged: if a partition cannot be read.
    """
    if not has(opened, CONVERSATIONS):
        return None
    with asking(opened) as ask:
        packed = has(opened, PACKED)
        return ConversationFacts(
            num_read=opened.dataset(CONVERSATIONS).rows.num_in,
            errors=_errors(ask),
            left_out=opened.dataset(PACKED).reasons() if packed else {},
            sides=_sides(ask) if packed else (),
            aside=_aside(ask) if packed else {},
            settings=_table(opened, "conversations"),
            differences=_differences(opened),
            taught=_taught(opened),
        )


def _errors(ask: Ask) -> dict[str, int]:
    """Count quarantined records by what their errors begin with, most frequent first."""
    rows = ask(
        f"""
        SELECT split_part(error, ':', 1) AS reason, count(*) AS n FROM quarantine
        WHERE step = '{CONVERSATIONS}' GROUP BY ALL ORDER BY n DESC, reason LIMIT {MAX_ERRORS}
        """
    )
    return {row["reason"]: row["n"] for row in rows}


def _sides(ask: Ask) -> tuple[ConversationSide, ...]:
    """Return what is packed of each split, train first."""
    sums = ", ".join(
        f"coalesce(sum({name}), 0)::BIGINT AS {name}"
        for name in ("num_samples", "num_tokens", "num_asked")
    )
    rows = ask(
        f"SELECT split, count(*) AS num_conversations, {sums} FROM {PACKED} WHERE keep GROUP BY ALL"
    )
    found = sorted(rows, key=lambda row: SPLITS.index(row["split"]))
    return tuple(ConversationSide(**row) for row in found)


def _aside(ask: Ask) -> dict[str, int]:
    """Count exchanges of packed conversations that are in no sample, by reason."""
    sums = ", ".join(
        f"""coalesce(sum(CAST("values" ->> '$."{reason}"' AS BIGINT)), 0)::BIGINT AS "{reason}" """
        for reason in ASIDE
    )
    (row,) = ask(f"SELECT {sums} FROM {PACKED} WHERE keep")
    return {reason: count for reason, count in row.items() if count}


def _taught(opened: OpenedRun) -> Pretraining | None:
    if not has(opened, INSTRUCT):
        return None
    return Pretraining(facts_of(opened, INSTRUCT), {}, curve_of(opened, INSTRUCT), None, ())


def _differences(opened: OpenedRun) -> dict[str, Any]:
    """Return the settings of the training that are not those of the pre-training."""
    before = _table(opened, PRETRAIN)
    mine = _table(opened, INSTRUCT)
    return {name: value for name, value in mine.items() if value != before.get(name)}


def _table(opened: OpenedRun, name: str) -> dict[str, Any]:
    found = opened.run.recipe.get(name)
    return dict(found) if isinstance(found, dict) else {}
