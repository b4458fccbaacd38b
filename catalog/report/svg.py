"""What charts are drawn with: elements of SVG, scales from values to places, ticks on axes.

Elements are built as trees, so that whatever stands in a label is escaped. Colours come from
classes of the page's style sheet; a drawing is `WIDTH` units wide and as high as it needs to be.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from catalog.report.words import clipped, minus, short, visible

WIDTH = 480
TEXT_WIDTH = 7.2  # of a character of the charts' type, in a wide face; texts are set out by it


def element(name: str, text: str | None = None, **attributes: object) -> ET.Element:
    """Return an element; ``_`` in attribute names stands for ``-``, ``class_`` for ``class``."""
    made = ET.Element(name)
    for key, value in attributes.items():
        made.set(key.rstrip("_").replace("_", "-"), _attribute(value))
    if text is not None:
        made.text = visible(text)
    return made


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return visible(str(value))


def drawing(title: str, height: float, parts: Iterable[ET.Element]) -> Markup:
    """Return a drawing as HTML; ``title`` says in words what it shows."""
    root = element("svg", viewBox=f"0 0 {WIDTH} {math.ceil(height)}", role="img", aria_label=title)
    root.append(element("title", title))
    root.extend(parts)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 (escaped by ElementTree)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> ET.Element:
    """Return a text whose middle line is at ``y``."""
    attributes = {"x": x, "y": y, "dy": "0.35em", "text_anchor": anchor}
    return element("text", text, **attributes, **({"class_": class_} if class_ else {}))


def fitted(text: str, width: float) -> str:
    """Return a text cut to what fits into a width, on one line."""
    return clipped(" ".join(text.split()), max(2, int(width / TEXT_WIDTH)))


def titled(mark: ET.Element, title: str) -> ET.Element:
    """Add to a mark what a person sees who points at it."""
    mark.append(element("title", title))
    return mark


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` to places from ``start`` to ``end``, maybe by logarithm.

    A range of no extent maps to its middle.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high, at = (self._bend(item) for item in (self.low, self.high, value))
        ratio = (at - low) / (high - low) if high != low else 0.5
        return self.start + ratio * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.log else value

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return round values within the range."""
        found = log_ticks(self.low, self.high) if self.log else []
        return found if len(found) > 1 else nice_ticks(self.low, self.high, wanted)


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return about so many round values from low to high, at steps of 1, 2 or 5 times 10ⁿ."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return values 1, 2 and 5 times 10ⁿ from low to high; only powers of 10 if that is enough."""
    if not 0 < low < high:
        return []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in ((1,), (1, 3), (1, 2, 5)):
        values = [m * 10.0**power for power in powers for m in multiples]
        inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(inside) >= 4:
            return inside
    return inside


def padded(values: Iterable[float], ratio: float = 0.06) -> tuple[float, float]:
    """Return the range of values with some room at both ends."""
    found = list(values)
    low, high = min(found), max(found)
    room = (high - low) * ratio or abs(high) * ratio or 1.0
    return low - room, high + room


def tick_text(value: float) -> str:
    """Return a tick's value, as short as it can be said."""
    if value and abs(value) < 0.001:
        mantissa, _, power = f"{value:.0e}".partition("e")
        return minus(f"{mantissa}e") + minus(str(int(power)))
    if abs(value) >= 1000:
        return short(value).replace(" ", "")
    return minus(f"{value:.6g}")


def x_axis(scale: Scale, top: float, bottom: float, name: str, wanted: int = 5) -> list[ET.Element]:
    """Return grid lines, values and name of a horizontal axis below a plot."""
    parts = []
    for value in scale.ticks(wanted):
        x = scale(value)
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="rule"))
        parts.append(label(x, bottom + 13, tick_text(value), "tick", "middle"))
    if name:
        parts.append(label((scale.start + scale.end) / 2, bottom + 32, name, "axis", "middle"))
    return parts


def y_axis(scale: Scale, left: float, right: float, wanted: int = 5) -> list[ET.Element]:
    """Return grid lines and values of a vertical axis at the left of a plot."""
    parts = []
    for value in scale.ticks(wanted):
        y = scale(value)
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="rule"))
        parts.append(label(left - 6, y, tick_text(value), "tick", "end"))
    return parts
