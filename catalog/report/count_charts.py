"""The charts of counts: how long documents are, and what is taken for what.

Like those of `catalog.report.charts`: plain values in, one drawing out, every mark with its words.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from catalog.report.svg import (
    TEXT_WIDTH,
    WIDTH,
    Scale,
    drawing,
    element,
    fitted,
    label,
    titled,
    y_axis,
)
from catalog.report.words import clipped

_MAX_HEAD = 16  # characters of a class's name beside and above a heat map


@dataclass(frozen=True)
class Bin:
    """One column of a histogram: values from ``low`` up to ``high``."""

    low: float
    high: float
    count: int


def log_bins(values: Sequence[int], most: int = 24) -> list[Bin]:
    """Count whole numbers in bins whose bounds double, or grow faster if there would be too many.

    The first bin also counts what is below it.
    """
    if not values:
        return []
    low, high = max(1, min(values)), max(1, *values)
    for factor in (2.0, 4.0, 16.0):
        edges = [1.0]
        while edges[-1] <= high:
            edges.append(edges[-1] * factor)
        if len(edges) <= most + 1:
            break
    edges = [a for a, b in pairwise(edges) if b > low] + edges[-1:]
    counts = [0] * (len(edges) - 1)
    ordered = sorted(values)
    places = [bisect_left(ordered, edge) for edge in edges]
    places[0] = 0
    for number, (start, end) in enumerate(pairwise(places)):
        counts[number] = end - start
    bounds = pairwise(edges)
    return [Bin(a, b, n) for (a, b), n in zip(bounds, counts, strict=True)]


def histogram(title: str, bins: Sequence[Bin], x_name: str, unit: str = "documents") -> Markup:
    """Draw columns side by side, one a bin, whatever the bins' widths; ticks name their bounds."""
    if not bins:
        return Markup("")
    left, right, top, bottom = 50.0, WIDTH - 14.0, 10.0, 168.0
    y = Scale(0, max(item.count for item in bins) or 1, bottom, top)
    width = (right - left) / len(bins)
    parts = y_axis(y, left, right, 4)
    for number, item in enumerate(bins):
        x = left + number * width
        column = element("rect", x=x + 1, y=y(item.count), width=width - 2)
        column.set("height", f"{max(0.0, bottom - y(item.count)):.2f}")
        column.set("class", "fill a")
        hint = f"{item.count:,} {unit} of {item.low:,.6g} to {item.high:,.6g}"
        parts.append(titled(column, hint))
    edges = [f"{edge:,.6g}" for edge in [*(item.low for item in bins), bins[-1].high]]
    every = max(1, math.ceil((max(map(len, edges)) + 1) * TEXT_WIDTH / width))
    for number, edge in list(enumerate(edges))[::every]:
        parts.append(label(left + number * width, bottom + 13, edge, "tick", "middle"))
    parts.append(label((left + right) / 2, bottom + 32, x_name, "axis", "middle"))
    return drawing(title, bottom + 44, parts)


def heat_map(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """Draw a square of counts, true classes down, predicted ones across; shaded by share of row.

    Cells show the share of their row in per cent; empty ones are blank.
    """
    if not names:
        return Markup("")
    longest = max(len(name) for name in names)
    shown = min(longest, _MAX_HEAD)
    left = max(70.0, shown * TEXT_WIDTH + 14)
    cell = min(44.0, (WIDTH - left - shown * TEXT_WIDTH * 0.5) / len(names))
    top = max(34.0, 8 + shown * TEXT_WIDTH * 0.85)
    parts = [label(0, top - 26, "across:", "tick"), label(0, top - 10, "predicted", "tick")]
    for number, name in enumerate(names):
        middle = top + (number + 0.5) * cell
        parts.append(label(left - 8, middle, fitted(name, left - 8), "name", "end"))
        at = left + (number + 0.5) * cell
        head = label(at, top - 6, clipped(name, _MAX_HEAD), "name")
        head.set("transform", f"rotate(-55 {at:.1f} {top - 6:.1f})")
        parts.append(head)
        parts += _heat_row(names, number, counts[number], left, top + number * cell, cell)
    return drawing(title, top + len(names) * cell + 6, parts)


def _heat_row(
    names: Sequence[str], row: int, counts: Sequence[int], left: float, y: float, cell: float
) -> list[ET.Element]:
    parts, total = [], sum(counts)
    for column, number in enumerate(counts):
        part = number / total if total else 0.0
        x = left + column * cell
        box = element("rect", x=x + 0.5, y=y + 0.5, width=cell - 1, height=cell - 1, rx=2)
        box.set("class", "heat right" if row == column else "heat wrong")
        box.set("fill-opacity", f"{0.06 + 0.94 * part:.3f}" if number else "0.04")
        hint = f"{number:,} of {total:,} documents of {names[row]} taken for {names[column]}"
        parts.append(titled(box, hint))
        if number and cell >= 20:
            tone = "on" if part > 0.55 else "off"
            shown = f"{100 * part:.0f}"
            parts.append(label(x + cell / 2, y + cell / 2, shown, f"cell {tone}", "middle"))
    return parts
