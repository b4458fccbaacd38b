"""The charts of curves, bars and scores: plain values in, one drawing of SVG out.

Every mark says what it stands for when pointed at (``<title>``), and the values that matter are
printed beside it, so that nothing needs a pointer to be read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from catalog.report.svg import (
    TEXT_WIDTH,
    WIDTH,
    Scale,
    drawing,
    element,
    fitted,
    label,
    padded,
    titled,
    x_axis,
    y_axis,
)
from catalog.report.words import is_number

Point = tuple[float, float]

_ROW = 24  # height of one row of bars
_BAR = 13
_DASHES = "5 4"


@dataclass(frozen=True)
class Series:
    """One line of a chart; ``tone`` is a class of the style sheet: ``a`` to ``g``.

    ``marked`` shows each point as a dot, ``joined`` draws the line between them, ``dashed`` with
    gaps; ``ringed`` are points that a ring stands out.
    """

    name: str
    points: Sequence[Point]
    tone: str = "a"
    marked: bool = False
    joined: bool = True
    dashed: bool = False
    ringed: Sequence[Point] = ()


@dataclass(frozen=True)
class Bar:
    """One bar: ``shown`` is its value in words, ``note`` a second, fainter one, ``hint`` all."""

    name: str
    value: float
    shown: str
    note: str = ""
    hint: str = ""
    tone: str = "a"


@dataclass(frozen=True)
class Interval:
    """A value with the bounds that it lies between; ``group`` is the heading that it is under."""

    group: str
    name: str
    value: float
    low: float
    high: float
    shown: str
    tone: str = "a"


def line_chart(
    title: str,
    series: Sequence[Series],
    x_name: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    height: float = 250,
) -> Markup:
    """Draw lines over a common pair of axes; points that are not finite numbers are left out.

    The horizontal axis begins at 0, or at the least value if it is logarithmic or that is negative.
    ``height`` has room for one row of names; more of them make the chart higher, not the plot less.
    """
    kept = [(line, _finite(line.points, log_x, log_y)) for line in series]
    xs = [x for _, points in kept for x, _ in points]
    ys = [y for _, points in kept for _, y in points]
    if not xs:
        return Markup("")
    named = len(kept) > 1  # one line alone is named by the heading
    left, right = 50.0, WIDTH - 14.0
    legend, top = _legend([line for line, _ in kept], left) if named else ([], 10)
    height += max(0.0, top - 34)
    bottom = height - 42
    low, high = (min(ys) / 1.05, max(ys) * 1.05) if log_y else padded(ys)
    x_low, x_high = (min(xs) / 1.15, max(xs) * 1.15) if log_x else (min(0.0, *xs), max(xs))
    x = Scale(x_low, x_high, left, right, log_x)
    y = Scale(low, high, bottom, top, log_y)
    parts = [*y_axis(y, left, right), *x_axis(x, top, bottom, x_name)]
    parts += legend
    for line, points in kept:
        parts += _line(line, [(x(a), y(b)) for a, b in points], points)
        for a, b in _finite(line.ringed, log_x, log_y):
            parts.append(element("circle", cx=x(a), cy=y(b), r=9, class_=f"ring {line.tone}"))
    return drawing(title, height, parts)


def _finite(points: Sequence[Point], log_x: bool, log_y: bool) -> list[Point]:
    return [
        (x, y)
        for x, y in points
        if is_number(x) and is_number(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
    ]


def _line(line: Series, places: list[Point], points: list[Point]) -> list[ET.Element]:
    parts = []
    if line.joined and len(places) > 1:
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(element("path", d=path, class_=f"line {line.tone}"))
        if line.dashed:
            parts[-1].set("stroke-dasharray", _DASHES)
    if line.marked or len(places) == 1:
        for (x, y), (a, b) in zip(places, points, strict=True):
            dot = element("circle", cx=x, cy=y, r=4, class_=f"dot {line.tone}")
            parts.append(titled(dot, f"{line.name}: {b:.5g} at {a:,.6g}"))
    return parts


def _legend(series: Sequence[Series], left: float) -> tuple[list[ET.Element], float]:
    """Return the names of lines with their strokes, and where the plot below them may begin."""
    parts, x, y = [], left, 12.0
    for line in series:
        shown = fitted(line.name, WIDTH - left - 28)
        width = 24 + len(shown) * TEXT_WIDTH
        if x > left and x + width > WIDTH:
            x, y = left, y + 18
        stroke = element("path", d=f"M{x:.1f} {y:.1f} h18", class_=f"key {line.tone}")
        if line.dashed:
            stroke.set("stroke-dasharray", _DASHES)
        parts += [stroke, label(x + 24, y, shown, "legend")]
        x += width + 14
    return parts, y + 22


def bar_chart(
    title: str, bars: Sequence[Bar], *, start: float = 0, mark: tuple[float, str] | None = None
) -> Markup:
    """Draw bars one below another, from ``start``; ``mark`` is a value that a line crosses at."""
    if not bars:
        return Markup("")
    longest = max(len(bar.name) for bar in bars)
    left = min(170.0, longest * TEXT_WIDTH + 18)
    beside = max(len(bar.shown) + len(bar.note) + (1 if bar.note else 0) for bar in bars)
    right = max(left + 80, WIDTH - beside * TEXT_WIDTH - 8)
    most = max([bar.value for bar in bars] + ([mark[0]] if mark else []))
    x = Scale(start, most if most > start else start + 1, left, right)
    top = 22 if mark else 4
    apart = mark is not None  # then values stand in a column, where the line does not cross them
    parts = [part for row, bar in enumerate(bars) for part in _bar(bar, x, top + row * _ROW, apart)]
    if mark:
        at = x(mark[0])
        bottom = top + len(bars) * _ROW
        parts.append(element("line", x1=at, x2=at, y1=16, y2=bottom, class_="mark"))
        parts.append(label(at, 8, mark[1], "tick", "middle"))
    return drawing(title, top + len(bars) * _ROW + 4, parts)


def _bar(bar: Bar, x: Scale, y: float, apart: bool) -> list[ET.Element]:
    middle = y + _ROW / 2
    width = max(1.0, x(bar.value) - x.start)
    rect = element(
        "rect",
        x=x.start,
        y=middle - _BAR / 2,
        width=width,
        height=_BAR,
        rx=2,
        class_=f"fill {bar.tone}",
    )
    value = label(x.end + 8 if apart else x.start + width + 6, middle, bar.shown, "value")
    if bar.note:
        value.append(element("tspan", " " + bar.note, class_="faint"))
    name = label(x.start - 8, middle, fitted(bar.name, x.start - 8), "name", "end")
    return [name, titled(rect, bar.hint or f"{bar.name}: {bar.shown}"), value]


def interval_chart(
    title: str, intervals: Sequence[Interval], *, zero: tuple[str, str] | None = None
) -> Markup:
    """Draw dots with the intervals that they lie in, under the headings of their groups.

    ``zero`` draws a line at 0, with words for what lies left and right of it.
    """
    if not intervals:
        return Markup("")
    left = min(256.0, max(len(item.name) for item in intervals) * TEXT_WIDTH + 14)
    right = WIDTH - max(len(item.shown) for item in intervals) * TEXT_WIDTH - 16
    bounds = [value for item in intervals for value in (item.low, item.high)]
    low, high = padded([*bounds, 0.0] if zero else bounds)
    x = Scale(low, high, left, right)
    top = y = 22.0 if zero else 4.0
    parts: list[ET.Element] = []
    group = None
    for item in intervals:
        if item.group != group:
            group = item.group
            parts.append(label(0, y + 13, group, "heading"))
            y += 24
        parts += _interval(item, x, y + 12)
        y += _ROW
    if zero:
        at = x(0)
        parts.append(element("line", x1=at, x2=at, y1=top - 4, y2=y + 4, class_="mark"))
        parts.append(label(at - 8, 8, "← " + zero[0], "tick", "end"))
        parts.append(label(at + 8, 8, zero[1] + " →", "tick"))
    return drawing(title, y + 26, [*x_axis(x, top, y + 4, "", 5), *parts])


def _interval(item: Interval, x: Scale, y: float) -> list[ET.Element]:
    whisker = element("line", x1=x(item.low), x2=x(item.high), y1=y, y2=y)
    whisker.set("class", f"whisker {item.tone}")
    ends = [
        element("line", x1=x(at), x2=x(at), y1=y - 5, y2=y + 5, class_=f"whisker {item.tone}")
        for at in (item.low, item.high)
    ]
    dot = element("circle", cx=x(item.value), cy=y, r=5.5, class_=f"dot {item.tone}")
    hint = f"{item.name}: {item.value:.4f}, 95 % from {item.low:.4f} to {item.high:.4f}"
    return [
        label(x.start - 12, y, fitted(item.name, x.start - 12), "name", "end"),
        whisker,
        *ends,
        titled(dot, hint),
        label(x.end + 12, y, item.shown, "value"),
    ]


def smoothed(points: Sequence[Point], window: int) -> list[Point]:
    """Return points whose values are the mean of up to so many points before and at each."""
    found = []
    for end in range(1, len(points) + 1):
        part = points[max(0, end - window) : end]
        found.append((points[end - 1][0], sum(y for _, y in part) / len(part)))
    return found


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most about so many of the points, evenly apart, first and last among them."""
    if len(points) <= most:
        return list(points)
    every = (len(points) - 1) / (most - 1)
    chosen = sorted({round(number * every) for number in range(most)})
    return [points[number] for number in chosen]
