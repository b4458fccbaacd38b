"""Shares of dropped documents, held against a count by hand."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from contract_tables import subject
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.contracts.drop_rate import drop_rate
from catalog.contracts.measured import Skipped
from catalog.relations import connect
from data_contracts.errors import ContractError

DECISIONS = pa.schema([("doc_id", pa.string()), ("keep", pa.bool_()), ("reason", pa.string())])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["web", "books", "a: b", ""]),
        st.sampled_from([None, "length.short", "words.few", "é"]),
    ),
    max_size=40,
)


def measured(rows: list[tuple[str, str | None]], **arguments):
    """Measure documents given as (source, reason or None where kept)."""
    ids = [f"d{n}" for n in range(len(rows))]
    keep, reasons = [reason is None for _, reason in rows], [reason for _, reason in rows]
    decisions = pa.table([ids, keep, reasons], schema=DECISIONS)
    documents = pa.table(
        {
            "doc_id": pa.array(ids[::-1], pa.string()),
            "source": pa.array([s for s, _ in rows[::-1]], pa.string()),
        }
    )
    half = len(rows) // 2
    checked = subject(decisions[:half], decisions[half:], others={"documents": documents})
    with connect(checked.views()) as connection:
        return drop_rate(connection, checked, arguments)


def by_hand(rows, by, min_rows):
    """Return (label, share, documents) of each source, or of each source and reason."""
    sources = [s if "source" in by else "all" for s, _ in rows]
    totals = Counter(sources)
    pairs = [(s, r) for s, (_, r) in zip(sources, rows, strict=True) if r is not None]
    found = []
    for source, total in totals.items():
        if total < min_rows:
            continue
        reasons = sorted({r for s, r in pairs if s == source}) if "reason" in by else [None]
        for reason in reasons:
            dropped = sum(s == source and reason in (None, r) for s, r in pairs)
            label = ": ".join(filter(None, (source, reason)))
            found.append((label, dropped / total, total))
    return sorted(found)


@pytest.mark.parametrize("by", [["source"], ["reason"], ["source", "reason"], []])
def test_shares_are_those_counted_by_hand(by):
    seen = Counter()

    @settings(max_examples=20)
    @given(ROWS, st.integers(1, 4))
    @example([("web", None), ("web", "é"), ("books", "words.few"), ("a: b", None)], 1)
    @example([("web", "length.short")] * 5 + [("web", "é")] * 3 + [("books", None)], 2)
    @example([("web", None)] * 3, 1)
    def check(rows, min_rows) -> None:
        found = measured(rows, by=by, min_rows=min_rows)
        expected = by_hand(rows, by, min_rows)
        if isinstance(found, Skipped):
            assert "no source has" in found.why
            assert (
                not any(total >= min_rows for _, _, total in by_hand(rows, by[:1], 1)) or not rows
            )
        elif not any(share for _, share, _ in expected) and "reason" in by:
            assert [(v.label, v.value) for v in found] == [("all", 0.0)]
        else:
            assert sorted((v.label, v.value, v.num_rows) for v in found) == expected
            assert [v.value for v in found] == sorted((v.value for v in found), reverse=True)
        seen[type(found).__name__] += 1

    check()
    assert seen["list"] > 2


def test_small_sources_are_left_out():
    rows = [("web", None)] * 200 + [("books", "length.short")] * 199
    (value,) = measured(rows)
    assert (value.label, value.value, value.num_rows) == ("web", 0.0, 200)
    assert isinstance(measured(rows[200:]), Skipped)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": ["sources"]}, "did you mean 'source'"),
        ({"by": "sources"}, "did you mean 'source'"),
        ({"by": 5}, "5"),
        ({"min_row": 3}, "did you mean 'min_rows'"),
        ({"min_rows": "3"}, "whole number"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, said):
    with pytest.raises(ContractError, match=said):
        measured([("web", None)], **arguments)
