"""The population stability index, held against other ways to compute it and numbers by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from contract_tables import subject
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.contracts.drift import drift, stability_index
from catalog.contracts.measured import Skipped
from catalog.relations import connect
from data_contracts.errors import ContractError


def index_of_counts(before, now) -> float:
    """The index of two histograms as the sum of both relative entropies (Jeffreys' divergence)."""
    rows = [[float(count) + 0.5 for count in counts] for counts in (before, now)]
    p, q = ([count / math.fsum(counts) for count in counts] for counts in rows)
    there = math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return there + math.fsum(b * math.log(b / a) for a, b in zip(p, q, strict=True))


def measured(before: pa.Table, *now: pa.Table, new_parts: tuple[str, ...] = (), **arguments):
    checked = subject(*now, baseline=before, new_parts=new_parts)
    with connect(checked.views()) as connection:
        return drift(connection, checked, {"min_rows": 1, **arguments})


def test_numbers_computed_by_hand():
    before, now = np.array(["a"] * 50 + ["b"] * 50), np.array(["a"] * 80 + ["b"] * 20)
    # half a row is added to each bin; the one of all other values is empty on both sides
    p, q = (50.5 / 101.5, 50.5 / 101.5, 0.5 / 101.5), (80.5 / 101.5, 20.5 / 101.5, 0.5 / 101.5)
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert stability_index(before, now) == pytest.approx(by_hand, rel=1e-12)
    # without the half rows it is 0.3 ln 1.6 - 0.3 ln 0.4 = 0.3 ln 4
    many = stability_index(np.repeat(before, 1000), np.repeat(now, 1000))
    assert many == pytest.approx(0.3 * math.log(4), rel=1e-3)


def test_a_scorecard_by_hand():
    """Ten score bands with expected and actual counts, large enough for half a row not to count."""
    expected = [100, 100, 100, 100, 100, 100, 100, 100, 100, 100]
    actual = [60, 80, 90, 100, 110, 110, 120, 110, 120, 100]
    bands = np.repeat(np.arange(10.0), 1000 * np.array(expected))
    scores = np.repeat(np.arange(10.0), 1000 * np.array(actual))
    by_hand = sum((b - a) / 1000 * math.log(b / a) for a, b in zip(expected, actual, strict=True))
    assert stability_index(bands, scores) == pytest.approx(by_hand, abs=1e-5)


def test_numbers_are_put_between_the_quantiles_of_the_baseline():
    random = np.random.default_rng(1)
    seen = Counter()
    for shift in (0.0, 0.2, 1.0):
        for num_bins in (2, 5, 10):
            before, now = random.normal(size=5000), random.normal(shift, size=3000)
            inner = np.quantile(before, np.arange(1, num_bins) / num_bins)
            edges = np.array([-np.inf, *inner, np.inf])
            expected = index_of_counts(np.histogram(before, edges)[0], np.histogram(now, edges)[0])
            assert stability_index(before, now, num_bins) == pytest.approx(expected, rel=1e-9)
            seen["small" if expected < 0.1 else "large"] += 1
    assert seen == {"small": 6, "large": 3}


def test_other_values_are_counted_one_by_one_and_the_rare_ones_together():
    letters = st.sampled_from([chr(c) for c in range(ord("a"), ord("a") + 26)] + ["a\x00", "é", ""])
    seen = Counter()

    @settings(max_examples=60)
    @given(st.lists(letters, min_size=1, max_size=200), st.lists(letters, min_size=1, max_size=200))
    def check(before: list[str], now: list[str]) -> None:
        both = Counter(before + now)
        top = sorted(both, key=lambda value: (-both[value], value))[:20]
        counts = [[s.count(v) for v in top] + [sum(v not in top for v in s)] for s in (before, now)]
        found = stability_index(np.array(before, object), np.array(now, object))
        assert found == pytest.approx(index_of_counts(*counts), abs=1e-12)
        back = stability_index(np.array(now, object), np.array(before, object))
        assert back == pytest.approx(found, abs=1e-12)
        seen[len(both) > 20] += 1

    check()
    assert seen[False] > 5


def test_equal_samples_have_none_and_the_index_is_never_negative():
    values = st.lists(st.floats(-1e6, 1e6) | st.integers(0, 2), min_size=1, max_size=60)
    seen = Counter()

    @settings(max_examples=60)
    @given(values, values, st.integers(2, 12))
    def check(before: list[float], now: list[float], num_bins: int) -> None:
        a, b = np.array(before, float), np.array(now, float)
        assert stability_index(a, a, num_bins) == 0
        assert stability_index(a, np.random.default_rng(0).permutation(a), num_bins) == 0
        assert stability_index(a, b, num_bins) >= 0
        seen[stability_index(a, b, num_bins) > 0] += 1

    check()
    assert seen[True] > 10


@pytest.mark.parametrize("bins", [2, 3, 10])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.95])
def test_a_change_of_a_flag_is_seen_whichever_value_is_the_frequent_one(share, bins):
    n = 2000
    before = np.arange(n) < share * n
    now = np.arange(n) < (1 - share) * n
    expected = index_of_counts([n - before.sum(), before.sum()], [n - now.sum(), now.sum()])
    for kind in (bool, np.int64, np.float64):
        found = stability_index(before.astype(kind), now.astype(kind), bins)
        assert found == pytest.approx(expected, rel=0.01)


def test_a_constant_that_becomes_another_is_seen():
    for constant in (0.0, 1.0):
        assert stability_index(np.full(500, constant), np.full(500, 1 - constant)) > 5


def test_a_value_that_many_rows_share_does_not_hide_what_moves_beside_it():
    before = np.repeat([0.0, 1.0, 2.0], [300, 1400, 300])
    now = np.repeat([0.0, 1.0, 2.0], [1400, 300, 300])
    assert stability_index(before, now) > 1


def test_it_is_asked_of_columns_and_of_sql_in_any_type():
    before = pa.table({"x": list(range(100)), "s": ["a"] * 50 + ["b"] * 50})
    now = pa.table({"x": [v * 3 for v in range(100)], "s": ["a"] * 90 + ["b"] * 10})
    numbers = [
        measured(before, now, of=of)[0].value
        for of in ("x", "x::DOUBLE", "x * 0.5", "x::HUGEINT", "x::DECIMAL(10, 2)", "-(-x)")
    ]
    assert numbers[0] > 0.25
    assert numbers == pytest.approx([numbers[0]] * len(numbers))
    (value,) = measured(before, now, of="s")
    assert (value.label, value.num_rows) == ("s", 100)
    assert value.value == pytest.approx(index_of_counts([50, 50, 0], [90, 10, 0]))
    assert measured(before, now, of="s = 'a'")[0].value == pytest.approx(
        index_of_counts([50, 50, 0], [90, 10, 0])
    )
    assert measured(before, before, of="x")[0].value == 0


def test_nulls_and_what_is_not_finite_are_left_out():
    before = pa.table({"x": [1.0, 2.0, None, math.nan, math.inf] * 20})
    now = pa.table({"x": [1.0, 2.0] * 20})
    assert measured(before, now, of="x")[0].value == pytest.approx(0, abs=1e-12)
    assert measured(before, now, of="x", min_rows=40)[0].num_rows == 40
    found = measured(before, now, of="x", min_rows=41)
    assert isinstance(found, Skipped)
    assert found.why == "40 rows against 40: too few to compare (41)"


def test_new_partitions_are_compared_alone():
    before = pa.table({"x": [1, 2, 3, 4] * 10})
    old, new = before, pa.table({"x": [4] * 40})
    whole = measured(before, old, new, of="x", new_parts=("p1",))[0]
    alone = measured(before, old, new, of="x", rows="new", new_parts=("p1",))[0]
    assert (whole.num_rows, alone.num_rows) == (80, 40)
    assert alone.value > whole.value > 0
    assert isinstance(measured(before, old, of="x", rows="new"), Skipped)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "needs `of`"),
        ({"of": "x", "bin": 5}, "did you mean 'bins'"),
        ({"of": "x", "bins": 1}, "at least 2"),
        ({"of": "x", "bins": "ten"}, "whole number"),
        ({"of": "x", "min_rows": 0}, "at least 1"),
        ({"of": "x", "min_rows": 1.5}, "whole number"),
        ({"of": "x", "rows": "old"}, "old"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, said):
    table = pa.table({"x": [1, 2]})
    checked = subject(table, baseline=table)
    with connect(checked.views()) as connection, pytest.raises(ContractError, match=said):
        drift(connection, checked, arguments)


def test_what_was_not_measured_is_not_compared():
    there, absent = pa.table({"language": ["en"] * 9}), pa.table({"x": [1] * 9})
    assert measured(there, there, of="language", needs="language")[0].value == 0
    rows = measured(there, absent, of="language", needs=["language"])
    assert rows == Skipped("language was not measured: the recipe does not ask for it")
    baseline = measured(absent, there, of="language", needs="language")
    assert baseline == Skipped("language was not measured of the baseline")
