"""The funnel as a picture: documents flow down, and what is dropped turns off to the right.

Every band is as wide as its documents are many; a band too narrow to be seen is drawn as a line.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from catalog.report.svg import TEXT_WIDTH, WIDTH, Scale, drawing, element, fitted, label, titled

_STREAM = 200.0  # width of the band of all documents
_TURN = 8.0  # radius of a band's inner edge where it turns
_ENDS = 250.0  # where bands that turned off end, and their names begin
_BAR = 8.0
_HEAD = 40.0  # a stage's two lines of words
_GAP = 6.0


@dataclass(frozen=True)
class Loss:
    """What a stage let go: ``shown`` are the words beside it; ``tone`` a class of the style."""

    name: str
    num_documents: int
    shown: str
    tone: str = "lost"


@dataclass(frozen=True)
class Part:
    """A part of the last bar, in its own colour."""

    name: str
    num_documents: int
    tone: str


@dataclass(frozen=True)
class Stage:
    """Documents that came to a stage, and what left the stream there, most first."""

    name: str
    num_documents: int
    note: str
    losses: Sequence[Loss] = ()
    parts: Sequence[Part] = ()  # of the last bar


def flow_chart(title: str, stages: Sequence[Stage]) -> Markup:
    """Draw stages one below another, joined by bands.

    A stage's documents without its losses are those of the next stage.
    """
    if not stages or not stages[0].num_documents:
        return Markup("")
    x = Scale(0, max(stage.num_documents for stage in stages), 0, _STREAM)
    parts: list[ET.Element] = []
    y = 0.0
    for number, stage in enumerate(stages):
        parts += _head(stage, y)
        y += _HEAD
        parts += _bar(stage, x, y)
        y += _BAR
        if number + 1 < len(stages):
            end = _losses_end(stage, x, y)
            parts += _stream(stage, stages[number + 1], x, y, end)
            parts += _turned(stage, x, y)
            y = end
    parts += _part_names(stages[-1], y)
    return drawing(title, y + (26 if stages[-1].parts else 4), parts)


def _head(stage: Stage, y: float) -> list[ET.Element]:
    name = label(0, y + 10, stage.name, "heading")
    words = label(0, y + 28, f"{stage.num_documents:,} documents", "value")
    if stage.note:
        words.append(element("tspan", f" {stage.note}", class_="faint"))
    return [name, words]


def _bar(stage: Stage, x: Scale, y: float) -> list[ET.Element]:
    parts, start = [], 0.0
    for part in stage.parts or [Part(stage.name, stage.num_documents, "a")]:
        width = x(part.num_documents)
        bar = element("rect", x=start, y=y, width=width, height=_BAR, class_=f"fill {part.tone}")
        parts.append(titled(bar, f"{part.name}: {part.num_documents:,} documents"))
        start += width
    return parts


def _part_names(stage: Stage, y: float) -> list[ET.Element]:
    """Name the parts of the last bar below it, one beside the other."""
    parts, x = [], 0.0
    for part in stage.parts:
        words = f"{part.num_documents:,} {part.name}"
        parts.append(
            element("rect", x=x, y=y + 8, width=11, height=11, rx=3, class_=f"fill {part.tone}")
        )
        parts.append(label(x + 17, y + 14, words, "value"))
        x += 17 + TEXT_WIDTH * len(words) + 16
    return parts


def _rows(stage: Stage, x: Scale, y: float) -> list[tuple[Loss, float, float]]:
    """Return each loss with the top and the thickness of its band's end."""
    rows, top = [], y + 12
    for loss in stage.losses:
        thickness = max(1.0, x(loss.num_documents))
        rows.append((loss, top, thickness))
        top += max(18.0, thickness + _GAP)
    return rows


def _losses_end(stage: Stage, x: Scale, y: float) -> float:
    rows = _rows(stage, x, y)
    if not rows:
        return y + 24
    _, top, thickness = rows[-1]
    return top + max(thickness, 12.0) + 14


def _stream(stage: Stage, following: Stage, x: Scale, y: float, end: float) -> list[ET.Element]:
    """Draw the band of what goes on, down to the next stage's bar, beside its words."""
    width = max(1.0, x(following.num_documents))
    lost = sum(loss.num_documents for loss in stage.losses)
    height = end - y + _HEAD  # down to the bar, behind the next stage's words
    band = element("rect", x=0, y=y, width=width, height=height, class_="band kept")
    hint = f"{stage.name}: {following.num_documents:,} go on, {lost:,} do not"
    return [titled(band, hint)]


def _turned(stage: Stage, x: Scale, y: float) -> list[ET.Element]:
    """Draw the bands that turn off, the rightmost first and highest, so that none cross."""
    parts = []
    right = x(stage.num_documents)
    for loss, top, thickness in _rows(stage, x, y):
        left = right - x(loss.num_documents)
        inner, outer = right + _TURN, max(left, right - thickness)
        path = (
            f"M{right:.1f} {y:.1f} V{top - _TURN:.1f} Q{right:.1f} {top:.1f} {inner:.1f} {top:.1f} "
            f"H{_ENDS} V{top + thickness:.1f} H{inner:.1f} "
            f"Q{outer:.1f} {top + thickness:.1f} {outer:.1f} {top - _TURN:.1f} V{y:.1f} Z"
        )
        band = element("path", d=path, class_=f"band {loss.tone}")
        parts.append(titled(band, f"{loss.name}: {loss.num_documents:,} documents"))
        middle = top + thickness / 2
        number = label(_ENDS + 6, middle, f"{loss.num_documents:,}", "value")
        rest = WIDTH - _ENDS - TEXT_WIDTH * len(f"{loss.num_documents:,} ")
        number.append(element("tspan", " " + fitted(loss.shown, rest), class_="faint"))
        parts.append(number)
        right = left
    return parts
