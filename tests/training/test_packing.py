"""Plans: every token asked for once, documents whole, rows as full as a brute force makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_contracts.errors import UsageError
from training.best_fit import best_fit_decreasing
from training.config import PACKINGS
from training.packing import Packed, Plan, document_pieces, new_plan, padding_ratio

LENGTHS = st.lists(st.integers(0, 40), max_size=30)
CONTEXTS = st.integers(1, 17)


def offsets_of(lengths: list[int]) -> np.ndarray:
    return np.cumsum([0, *lengths], dtype=np.int64)


def rows_of(plan: Plan) -> list[list[tuple[int, int]]]:
    """Return each row's pieces as pairs (start, end)."""
    rows = []
    for row in range(plan.num_rows):
        starts, lengths = plan.pieces(row)
        rows.append([(int(s), int(s + n)) for s, n in zip(starts, lengths, strict=True)])
    return rows


def asked_for(rows: list[list[tuple[int, int]]]) -> Counter[int]:
    """Return how often each token of the stream follows another one in its piece."""
    return Counter(place for row in rows for start, end in row for place in range(start + 1, end))


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
def test_every_token_but_a_documents_first_is_asked_for_once(packing: str) -> None:
    seen = {"rows": 0, "cut": 0, "shared": 0}

    @given(LENGTHS, CONTEXTS, st.integers(0, 5))
    @example([3], 1, 0)
    def check(lengths: list[int], context_tokens: int, seed: int) -> None:
        offsets = offsets_of(lengths)
        rows = rows_of(new_plan(packing, offsets, context_tokens, seed))
        expected = {place for start, end in pairwise(offsets) for place in range(start + 1, end)}
        found = asked_for(rows)
        assert set(found) == expected
        assert all(count == 1 for count in found.values())
        document = np.repeat(np.arange(len(lengths)), lengths)
        for row in rows:
            assert 0 < sum(end - start for start, end in row) <= context_tokens + 1
            assert all(start < end for start, end in row)
            assert all(len(set(document[start:end])) == 1 for start, end in row)
        seen["rows"] += len(rows)
        seen["cut"] += any(length > context_tokens + 1 for length in lengths)
        seen["shared"] += any(len(row) > 1 for row in rows)

    check()
    assert min(seen.values()) > 0


def test_best_fit_cuts_no_document_that_fits() -> None:
    seen = Counter[str]()

    @given(LENGTHS, CONTEXTS)
    def check(lengths: list[int], context_tokens: int) -> None:
        offsets = offsets_of(lengths)
        pieces = Counter(piece for row in rows_of(new_plan("best_fit", offsets, context_tokens, 0))
                         for piece in row)  # fmt: skip
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            if 0 < end - start <= context_tokens + 1:
                assert pieces[start, end] == 1
                seen["whole"] += 1

    check()
    assert seen["whole"] > 0


def test_one_per_row_keeps_order_and_counts_what_it_cuts() -> None:
    seen = Counter[str]()

    @given(LENGTHS, CONTEXTS, st.integers(0, 5))
    def check(lengths: list[int], context_tokens: int, seed: int) -> None:
        offsets = offsets_of(lengths)
        plan = new_plan("one_per_row", offsets, context_tokens, seed)
        assert isinstance(plan, Packed)
        room = context_tokens + 1
        assert rows_of(plan) == [
            [(start, start + min(length, room))]
            for start, length in zip(offsets[:-1].tolist(), lengths, strict=True)
            if length
        ]
        too_long = [length - room for length in lengths if length > room]
        assert (plan.num_cut_documents, plan.num_cut_tokens) == (len(too_long), sum(too_long))
        seen["cut"] += len(too_long)
        seen["rows"] += plan.num_rows

    check()
    assert min(seen["cut"], seen["rows"]) > 0


def brute_force(lengths: list[int], room: int) -> list[int]:
    """Return how full each row is when pieces go one by one into the fullest that has room."""
    rows: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [row for row, used in enumerate(rows) if used + length <= room]
        if fitting:
            rows[max(fitting, key=lambda row: rows[row])] += length
        else:
            rows.append(length)
    return sorted(rows)


def test_rows_are_as_full_as_when_pieces_are_placed_one_by_one() -> None:
    seen = Counter[str]()

    @given(st.integers(1, 40), st.data())
    def check(room: int, data: st.DataObject) -> None:
        lengths = data.draw(st.lists(st.integers(1, room), max_size=60))
        sorted_lengths = np.array(sorted(lengths, reverse=True), np.int64)
        rows, num_rows = best_fit_decreasing(sorted_lengths, room)
        used = np.bincount(rows, sorted_lengths, minlength=num_rows).astype(int)
        assert sorted(used.tolist()) == brute_force(lengths, room)
        seen["rows"] += num_rows
        seen["filled later"] += num_rows < len(lengths)

    check()
    assert min(seen["rows"], seen["filled later"]) > 0


def test_a_long_document_is_cut_with_one_token_shared() -> None:
    starts, lengths = document_pieces(np.array([0, 5, 14, 15, 15]), context_tokens=4)
    assert starts.tolist() == [0, 5, 9, 14]
    assert lengths.tolist() == [5, 5, 5, 1]
    starts, lengths = document_pieces(np.array([0, 6]), context_tokens=4)
    assert list(zip(starts, lengths, strict=True)) == [(0, 5), (4, 2)]


def arrays(plan: Plan) -> tuple[bytes, ...]:
    assert isinstance(plan, Packed)
    return tuple(a.tobytes() for a in (plan.row_offsets_R1, plan.starts_P, plan.lengths_P))


def test_a_plan_follows_from_lengths_size_and_seed_alone() -> None:
    draw = np.random.default_rng(0)
    offsets = offsets_of(draw.integers(2, 60, 400).tolist())
    plans = {seed: arrays(new_plan("best_fit", offsets, 31, seed)) for seed in range(3)}
    assert plans[1] == arrays(new_plan("best_fit", offsets.copy(), 31, 1))
    assert len(set(plans.values())) == 3


def test_best_fit_is_the_same_for_ever() -> None:
    offsets = offsets_of([7, 3, 12, 3, 9, 2, 5])
    rows = rows_of(new_plan("best_fit", offsets, 9, 7))
    assert rows == [
        [(10, 20)],
        [(25, 34)],
        [(19, 22), (0, 7)],
        [(34, 36), (36, 41), (22, 25)],
        [(7, 10)],
    ]


def test_ratio_of_padding() -> None:
    offsets = offsets_of([4, 4, 4])
    for packing, expected in (("concat", 1 / 15), ("best_fit", 3 / 15), ("one_per_row", 3 / 15)):
        plan = new_plan(packing, offsets, 4, 0)
        assert padding_ratio(plan, 12, 4) == pytest.approx(expected)
        assert padding_ratio(new_plan(packing, offsets_of([]), 4, 0), 0, 4) == 0


def test_impossible_plans_are_refused() -> None:
    offsets = offsets_of([4])
    with pytest.raises(UsageError, match="packing is 'random'; give concat, best_fit, one_per_row"):
        new_plan("random", offsets, 4, 0)
    for context_tokens in (0, 1 << 24):
        with pytest.raises(UsageError, match=f"context_tokens is {context_tokens}; give"):
            new_plan("best_fit", offsets, context_tokens, 0)


@pytest.mark.parametrize("packing", PACKINGS)
def test_no_documents_make_no_rows(packing: str) -> None:
    assert new_plan(packing, offsets_of([]), 1, 0).num_rows == 0
    assert new_plan(packing, offsets_of([0, 0]), 1, 0).num_rows == 0


def test_many_documents_take_few_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop runs over lengths: ten times the documents must not make it ten times longer."""
    turns = Counter[int]()

    def counted(before: Callable[..., np.ndarray], size: int) -> Callable[..., np.ndarray]:
        def repeat(*arguments: object) -> np.ndarray:
            turns[size] += 1
            return before(*arguments)

        return repeat

    before = np.repeat
    for size in (3_000, 30_000):
        lengths = np.sort(np.random.default_rng(size).integers(1, 130, size))[::-1]
        monkeypatch.setattr(np, "repeat", counted(before, size))
        best_fit_decreasing(lengths, 129)
    assert 0 < turns[30_000] < 1.5 * turns[3_000] < 129 * 8
