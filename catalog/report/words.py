"""Numbers and texts as a person reads them: what the report's page and charts print."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime
from typing import TypeGuard

from store.hints import human_bytes

NOT_KNOWN = "–"
_PLAIN = frozenset("\n\t")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NEEDED = frozenset("\u200c\u200d")  # joiners that scripts are written with
_SCALES = ((1e12, "T"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def visible(text: str) -> str:
    r"""Return a text with characters that are not seen, or turn others round, as ``\x1b``.

    Line ends and tabs stay. Documents, labels and file names are not ours.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_seen(character) else _spelt(character) for character in text)


def _is_seen(character: str) -> bool:
    if character in _PLAIN or character in _NEEDED:
        return True
    return unicodedata.category(character) not in _UNSEEN


def _spelt(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def clipped(text: str, max_chars: int) -> str:
    """Return a text of at most so many characters, its end replaced by ``…`` if need be."""
    return text if len(text) <= max_chars else text[: max(0, max_chars - 1)].rstrip() + "…"


def count(value: float | None) -> str:
    """Return a whole number with its thousands apart: ``45,592``."""
    return NOT_KNOWN if value is None or not is_number(value) else f"{round(value):,}"


def short(value: float | None) -> str:
    """Return a number in three digits and a word for its size: ``3.24 M``, ``87``."""
    if value is None or not is_number(value):
        return NOT_KNOWN
    for scale, name in _SCALES:
        if abs(value) >= scale * 0.9995:
            return f"{digits(value / scale)} {name}"
    return digits(value)


def digits(value: float, num_digits: int = 3) -> str:
    """Return a number with so many digits that count, whole numbers whole: ``0.0312``, ``640``."""
    if value == 0 or not is_number(value):
        return "0" if value == 0 else NOT_KNOWN
    rounded = abs(float(f"{value:.{num_digits - 1}e}"))  # 0.9996 has one digit before its point
    before = math.floor(math.log10(rounded)) + 1
    shown = f"{value:.{max(0, num_digits - before)}f}"
    whole = float(value).is_integer() and abs(value) < 10**num_digits
    return minus(f"{value:.0f}" if whole else shown)


def minus(text: str) -> str:
    """Return a number's text with a minus sign in place of a hyphen in front."""
    return "−" + text[1:] if text.startswith("-") else text


def share(value: float | None) -> str:
    """Return a part of one as per cent: ``54.9 %``; what is not quite all or nothing shows so."""
    if value is None or not is_number(value):
        return NOT_KNOWN
    percent = 100 * value
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.1f} %"


def score(value: float | None) -> str:
    """Return a score in [0, 1] with three places: ``0.712``."""
    return NOT_KNOWN if value is None or not is_number(value) else minus(f"{value:.3f}")


def signed(value: float | None) -> str:
    """Return a difference of scores with its sign: ``+0.051``, ``−0.020``, ``0.000``."""
    if value is None or not is_number(value):
        return NOT_KNOWN
    shown = minus(f"{value:+.3f}")
    return shown[1:] if shown[1:] == "0.000" else shown


def duration(seconds: float | None) -> str:
    """Return a time as people say it: ``0.2 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None or not is_number(seconds):
        return NOT_KNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(num_bytes: float | None) -> str:
    """Return a size in a unit that fits it: ``12.3 MB``."""
    return (
        NOT_KNOWN if num_bytes is None or not is_number(num_bytes) else human_bytes(int(num_bytes))
    )


def moment(iso: str | None) -> str:
    """Return a time of the run's record as ``21 November 2026, 04:55 UTC``, or as it stands."""
    try:
        when = datetime.fromisoformat(iso or "")
    except ValueError:
        return iso or NOT_KNOWN
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def plural(number: float, thing: str) -> str:
    """Return a number with what it counts: ``1 seed``, ``1,200 documents``."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"
