from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.report.flow_chart import Loss, Part, Stage, flow_chart

STAGES = [
    Stage("Read", 1000, "1 MB", [Loss("too_short", 300, "too_short"), Loss("odd", 100, "odd")]),
    Stage("Passed", 600, "", [Loss("duplicate", 50, "duplicate")]),
    Stage("Curated", 550, "", parts=[Part("train", 500, "a"), Part("held-out", 50, "b")]),
]
NUMBER = re.compile(r"-?[0-9.]+")


def thickness(band: ET.Element) -> float:
    """Height of the end of a band that turned off, from its path: H x V y."""
    numbers = [float(number) for number in NUMBER.findall(band.get("d", ""))]
    start, end = numbers[6], numbers[8]  # M x y V y Q x y x y H x V y: the y before H, and after V
    return end - start


def test_bands_are_as_wide_as_their_documents_are_many(read_drawing: Any) -> None:
    chart = read_drawing(flow_chart("t", STAGES))
    bars = [float(e.get("width")) for e in chart.marks("rect", "fill")][:4]
    assert [width / bars[0] for width in bars] == [1.0, 0.6, 0.5, 0.05]
    kept = [float(e.get("width")) for e in chart.marks("rect", "band", "kept")]
    assert [width / bars[0] for width in kept] == [0.6, 0.55]
    lost = [thickness(e) / bars[0] for e in chart.marks("path", "band", "lost")]
    assert all(
        math.isclose(a, b, abs_tol=0.001) for a, b in zip(lost, (0.3, 0.1, 0.05), strict=True)
    )


def test_bands_leave_the_bar_side_by_side(read_drawing: Any) -> None:
    chart = read_drawing(flow_chart("t", STAGES))
    stream = float(chart.marks("rect", "fill")[0].get("width"))
    edges = []
    for band in chart.marks("path", "band", "lost"):
        numbers = [float(number) for number in NUMBER.findall(band.get("d"))]
        edges.append((numbers[-3], numbers[0]))  # the left edge ends the path, the right begins it
    assert [(a / stream, b / stream) for a, b in edges] == [(0.7, 1.0), (0.6, 0.7), (0.55, 0.6)]


def test_all_numbers_are_printed(read_drawing: Any) -> None:
    texts = read_drawing(flow_chart("t", STAGES)).texts()
    expected = ["1,000 documents 1 MB", "300 too_short", "100 odd", "600 documents", "50 duplicate"]
    assert [text for text in texts if text in expected] == expected
    assert {"500 train", "50 held-out", "Read", "Passed", "Curated"} <= set(texts)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=9), st.integers(0, 10_000))
def test_names_of_losses_keep_apart(losses: list[int], left: int) -> None:
    losses = sorted(losses, reverse=True)
    stages = [
        Stage("Read", sum(losses) + left, "", [Loss(f"r{n}", n, "r") for n in losses]),
        Stage("Curated", left, ""),
    ]
    root = ET.fromstring(flow_chart("t", stages))
    places = [float(e.get("y", "")) for e in root.iter("text") if float(e.get("x", "")) > 200]
    assert len(places) == len(losses)
    assert all(b - a > 11 for a, b in itertools.pairwise(places))
    height = float(root.get("viewBox", "").split()[3])
    assert max(places) + 8 < height


def test_nothing_read_is_no_picture() -> None:
    assert flow_chart("t", [Stage("Read", 0, "")]) == ""
