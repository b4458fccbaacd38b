"""Columns and cells stand for the counts that they were given."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.report.count_charts import Bin, heat_map, histogram, log_bins


def test_columns_of_a_histogram_are_as_high_as_their_counts(read_drawing: Any) -> None:
    bins = [Bin(1, 2, 10), Bin(2, 4, 40), Bin(4, 8, 0), Bin(8, 16, 5)]
    chart = read_drawing(histogram("t", bins, "tokens"))
    heights = [float(e.get("height")) for e in chart.marks("rect", "fill")]
    assert heights == pytest.approx([heights[1] * n / 40 for n in (10, 40, 0, 5)], abs=0.02)
    assert "10 documents of 1 to 2" in {e.text for e in chart.root.iter("title")}


def test_ticks_of_a_histogram_do_not_run_into_each_other(read_drawing: Any) -> None:
    bins = [Bin(2.0**n, 2.0 ** (n + 1), 1) for n in range(18)]
    chart = read_drawing(histogram("t", bins, "tokens"))
    ticks = [e for e in chart.marks("text", "tick") if e.get("text-anchor") == "middle"]
    ends = [
        (float(e.get("x")) - 3.6 * len(e.text), float(e.get("x")) + 3.6 * len(e.text))
        for e in ticks
    ]
    assert len(ticks) > 3
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=200))
def test_log_bins_count_every_value_once(values: list[int]) -> None:
    bins = log_bins(values)
    assert sum(item.count for item in bins) == len(values)
    for number, item in enumerate(bins):
        low = -1 if number == 0 else item.low
        assert item.count == sum(low <= value < item.high for value in values)
    assert len(bins) <= 24
    assert bins[-1].count > 0


def test_a_heat_map_shades_by_share_of_the_row(read_drawing: Any) -> None:
    chart = read_drawing(heat_map("t", ["x", "y", "z"], [[30, 10, 0], [0, 0, 0], [5, 0, 5]]))
    cells = chart.marks("rect", "heat")
    opacity = [float(e.get("fill-opacity")) for e in cells]
    assert opacity[0] - 0.06 == pytest.approx(3 * (opacity[1] - 0.06), abs=0.01)
    assert opacity[2:6] == [0.04] * 4
    assert opacity[6] == opacity[8] == pytest.approx(0.06 + 0.94 / 2, abs=0.001)
    assert chart.texts("cell") == ["75", "25", "50", "50"]
    assert "30 of 40 documents of x taken for x" in {e.text for e in chart.root.iter("title")}
    assert [set(e.get("class").split()) - {"heat"} for e in cells[:2]] == [{"right"}, {"wrong"}]
