"""Cleaning one text, the same way for every source: what `DOCUMENTS.text` promises is made here."""

from __future__ import annotations

import itertools
import re
import unicodedata

MAX_MARKS_IN_A_ROW = 256  # normalising takes quadratic time in a run of combining marks

_BREAKS = re.compile("\r\n?|[\x0b\x0c]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_REPAIRED_BYTES = bytes(set(range(32)) - set(b"\t\n"))


def clean_text(text: str) -> tuple[str, int]:
    """Return the text in Unicode NFC with LF line ends and no other C0 control but tab.

    The second value counts repairs: one for each line break that was CR LF, CR, VT or FF and is
    now LF, each other C0 control that was removed, each U+FEFF removed at the start, and one if
    the whole was not in NFC. Cleaning a clean text changes nothing and counts 0.

    Raises:
        ValueError: if over `MAX_MARKS_IN_A_ROW` combining marks follow each other in a text that is
            not in NFC, since normalising them would take unbounded time.
    """
    num_repairs = 0
    if _has_controls(text):
        text, num_breaks = _BREAKS.subn("\n", text)
        text, num_controls = _CONTROLS.subn("", text)
        num_repairs = num_breaks + num_controls
    stripped = text.lstrip("\ufeff")
    num_repairs += len(text) - len(stripped)
    normal = to_nfc(stripped)
    return normal, num_repairs + (normal is not stripped)


def to_nfc(text: str) -> str:
    """Return the text in NFC: the very object if it is in it.

    Raises:
        ValueError: if over `MAX_MARKS_IN_A_ROW` combining marks follow each other in a text that is
            not in NFC.
    """
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    if _has_long_run_of_marks(text):
        raise ValueError(f"over {MAX_MARKS_IN_A_ROW} combining marks follow each other")
    return unicodedata.normalize("NFC", text)


def replace_surrogates(text: str) -> tuple[str, int]:
    """Return the text with each lone surrogate as U+FFFD, and how many there were."""
    try:
        text.encode()  # far quicker than a search
    except UnicodeEncodeError:
        return _SURROGATES.subn("\ufffd", text)
    return text, 0


def decode_lossy(data: bytes) -> tuple[str, int]:
    """Decode UTF-8, bytes that are not as U+FFFD; return the text and how many were put in."""
    text = data.decode("utf-8", "replace")
    return text, text.count("\ufffd") - data.count(b"\xef\xbf\xbd")


def _has_controls(text: str) -> bool:
    """Return whether a text holds a control to repair; deleting bytes is quicker than a search."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data.translate(None, _REPAIRED_BYTES)) < len(data)


def _has_long_run_of_marks(text: str) -> bool:
    """Look at every 256th character only: a longer run covers at least one of them."""
    step = MAX_MARKS_IN_A_ROW
    return any(
        unicodedata.combining(text[at]) and _run_length(text, at) > step
        for at in range(0, len(text), step)
    )


def _run_length(text: str, at: int) -> int:
    """Return the length of the run of marks around a position, looking no further than needed."""
    before = text[max(0, at - MAX_MARKS_IN_A_ROW) : at][::-1]
    after = text[at : at + MAX_MARKS_IN_A_ROW + 1]
    runs = (itertools.takewhile(unicodedata.combining, side) for side in (before, after))
    return sum(sum(1 for _ in run) for run in runs)
