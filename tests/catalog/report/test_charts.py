"""Marks are put where the data say: places are read back through the ticks that a reader sees."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.report.charts import (
    Bar,
    Interval,
    Series,
    bar_chart,
    interval_chart,
    line_chart,
    smoothed,
    thinned,
)
from catalog.report.count_charts import Bin, heat_map, histogram

HOSTILE = '<script>alert("x")</script>&\x00'


def test_dots_of_a_line_chart_lie_at_their_values(read_drawing: Any) -> None:
    points = [(1.0, 8.0), (2.5, 4.0), (4.0, 3.25)]
    chart = read_drawing(line_chart("t", [Series("s", points, marked=True)], "tokens"))
    x, y = chart.axis("x"), chart.axis("y")
    dots = chart.marks("circle", "dot")
    found = [(x(float(dot.get("cx"))), y(float(dot.get("cy")))) for dot in dots]
    for (a, b), (c, d) in zip(points, found, strict=True):
        assert math.isclose(a, c, abs_tol=0.02)
        assert math.isclose(b, d, abs_tol=0.05)


def test_dots_of_a_logarithmic_axis_lie_at_their_values(read_drawing: Any) -> None:
    points = [(1e-4, 0.5), (3e-4, 0.7), (1e-2, 0.6)]
    series = [Series("s", points, marked=True, joined=False)]
    chart = read_drawing(line_chart("t", series, "rate", log_x=True))
    x = chart.axis("x", log=True)
    found = [x(float(dot.get("cx"))) for dot in chart.marks("circle", "dot")]
    assert found == pytest.approx([1e-4, 3e-4, 1e-2], rel=0.02)
    assert chart.marks("path") == []


def test_the_line_goes_through_its_points(read_drawing: Any) -> None:
    points = [(0.0, 1.0), (10.0, 3.0), (20.0, 2.0)]
    chart = read_drawing(line_chart("t", [Series("s", points)], "step"))
    x, y = chart.axis("x"), chart.axis("y")
    (path,) = chart.marks("path", "line")
    places = [pair.split() for pair in path.get("d")[1:].split(" L")]
    assert [(round(x(float(a))), round(y(float(b)))) for a, b in places] == [
        (0, 1),
        (10, 3),
        (20, 2),
    ]


def test_rings_lie_around_their_points(read_drawing: Any) -> None:
    points = [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6)]
    series = Series("s", points, marked=True, dashed=True, ringed=[(2.0, 0.7)])
    chart = read_drawing(line_chart("t", [series], "x"))
    (ring,) = chart.marks("circle", "ring")
    dot = chart.marks("circle", "dot")[1]
    assert (ring.get("cx"), ring.get("cy")) == (dot.get("cx"), dot.get("cy"))
    assert chart.marks("path", "line")[0].get("stroke-dasharray")


def test_a_long_legend_has_rows_and_does_not_touch_the_plot(read_drawing: Any) -> None:
    points = [(0.0, 1.0), (1.0, 2.0)]
    series = [Series(f"pre-trained, {n} epochs", points, marked=True) for n in range(5)]
    chart = read_drawing(line_chart("t", series, "x"))
    texts = chart.marks("text", "legend")
    rows = sorted({float(e.get("y")) for e in texts})
    assert len(rows) > 1
    assert all(float(e.get("x")) + 7.2 * len(e.text) <= 480 for e in texts)
    assert max(rows) + 6 < min(float(e.get("cy")) for e in chart.marks("circle", "dot"))


def test_points_that_are_no_numbers_are_left_out(read_drawing: Any) -> None:
    points = [(1.0, float("nan")), (2.0, 3.0), (3.0, float("inf")), (4.0, 5.0)]
    chart = read_drawing(line_chart("t", [Series("s", points, marked=True)], "x"))
    assert len(chart.marks("circle", "dot")) == 2
    assert line_chart("t", [Series("s", points[:1])], "x") == ""


def test_only_several_lines_have_a_legend(read_drawing: Any) -> None:
    points = [(0.0, 1.0), (1.0, 2.0)]
    one = read_drawing(line_chart("t", [Series("mine", points)], "x"))
    two = read_drawing(line_chart("t", [Series("mine", points), Series("other", points)], "x"))
    assert one.texts("legend") == []
    assert two.texts("legend") == ["mine", "other"]


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30))
def test_bars_are_as_long_as_their_values_are_large(values: list[float]) -> None:
    bars = [Bar(f"n{i}", value, f"{value:.3g}") for i, value in enumerate(values)]
    root = ET.fromstring(bar_chart("t", bars))
    widths = [float(rect.get("width", "")) for rect in root.iter("rect")]
    longest = max(widths)
    for value, width in zip(values, widths, strict=True):
        assert math.isclose(width, max(1.0, longest * value / max(values)), abs_tol=0.02)


def test_values_stand_beside_their_bars(read_drawing: Any) -> None:
    chart = read_drawing(bar_chart("t", [Bar("a", 1.0, "1.00"), Bar("b", 4.0, "4.00")]))
    for bar, value in zip(chart.marks("rect", "fill"), chart.marks("text", "value"), strict=True):
        end = float(bar.get("x")) + float(bar.get("width"))
        assert 0 < float(value.get("x")) - end < 10


def test_the_mark_of_a_bar_chart_crosses_at_its_value(read_drawing: Any) -> None:
    bars = [Bar("a", 1.0, "1.00", "3 docs"), Bar("b", 4.0, "4.00")]
    chart = read_drawing(bar_chart("t", bars, mark=(2.0, "all: 2")))
    (line,) = chart.marks("line", "mark")
    _, last = chart.marks("rect", "fill")
    start, end = float(last.get("x")), float(last.get("x")) + float(last.get("width"))
    assert math.isclose(float(line.get("x1")), start + (end - start) / 2, abs_tol=0.02)
    values = chart.marks("text", "value")
    assert all(float(e.get("x")) > end for e in values), "the line would cross the values"
    assert chart.texts("value") == ["1.00 3 docs", "4.00"]


def test_intervals_show_value_and_bounds(read_drawing: Any) -> None:
    items = [
        Interval("accuracy", "one", 0.7, 0.6, 0.85, "0.700", "a"),
        Interval("accuracy", "two", 0.5, 0.45, 0.52, "0.500", "b"),
        Interval("macro-F1", "one", 0.4, 0.3, 0.5, "0.400", "a"),
    ]
    chart = read_drawing(interval_chart("t", items))
    x = chart.axis("x")
    dots = [x(float(dot.get("cx"))) for dot in chart.marks("circle", "dot")]
    assert dots == pytest.approx([0.7, 0.5, 0.4], abs=0.003)
    flat = [e for e in chart.marks("line", "whisker") if e.get("y1") == e.get("y2")]
    bounds = [(x(float(e.get("x1"))), x(float(e.get("x2")))) for e in flat]
    assert [b for pair in bounds for b in pair] == pytest.approx(
        [0.6, 0.85, 0.45, 0.52, 0.3, 0.5], abs=0.003
    )
    assert chart.texts("heading") == ["accuracy", "macro-F1"]


def test_the_zero_line_stands_at_zero(read_drawing: Any) -> None:
    items = [Interval("g", "a − b", 0.08, 0.02, 0.14, "+0.080", "good")]
    chart = read_drawing(interval_chart("t", items, zero=("worse", "better")))
    (line,) = chart.marks("line", "mark")
    ticks = [e for e in chart.marks("text", "tick") if e.text == "0"]
    assert float(line.get("x1")) == float(ticks[0].get("x"))
    assert float(chart.marks("circle", "dot")[0].get("cx")) > float(line.get("x1"))


@pytest.mark.parametrize(
    "chart",
    [
        line_chart(HOSTILE, [Series(HOSTILE, [(0, 1), (1, 2)], marked=True)] * 2, HOSTILE),
        bar_chart(HOSTILE, [Bar(HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE)], mark=(1, HOSTILE)),
        interval_chart(
            HOSTILE, [Interval(HOSTILE, HOSTILE, 1, 0, 2, HOSTILE)], zero=(HOSTILE,) * 2
        ),
        heat_map(HOSTILE, [HOSTILE], [[1]]),
        histogram(HOSTILE, [Bin(1, 2, 3)], HOSTILE),
    ],
)
def test_hostile_names_are_only_text(chart: str, read_drawing: Any) -> None:
    drawn = read_drawing(chart)  # well-formed, so nothing broke out
    assert {e.tag for e in drawn.root.iter()} <= {
        *("svg", "title", "text", "tspan", "line", "rect", "path", "circle")
    }
    assert "\x00" not in chart
    assert any("script" in text for text in drawn.root.itertext())


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.integers(1, 9))
def test_smoothed_is_the_mean_of_what_was_before(values: list[float], window: int) -> None:
    points = list(enumerate(values))
    for (x, y), (number, _) in zip(smoothed(points, window), points, strict=True):
        part = [v for n, v in points if number - window < n <= number]
        assert x == number
        assert math.isclose(y, sum(part) / len(part), abs_tol=1e-9)


@given(st.integers(1, 500), st.integers(2, 50))
def test_thinned_keeps_first_and_last(number: int, most: int) -> None:
    points = [(float(n), 0.0) for n in range(number)]
    kept = thinned(points, most)
    assert len(kept) == min(number, most)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert set(kept) <= set(points)
