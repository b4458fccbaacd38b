"""Words for messages: the name that was probably meant; numbers and sizes as people read them."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest of some known names, or lists them all."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}."


def counted(number: int, thing: str) -> str:
    """Return a number with what it counts: ``1 run``, ``2 runs``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def human_bytes(size_bytes: int) -> str:
    """Return a size in a unit that fits it, in steps of 1000: ``0 B``, ``12.3 MB``."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = size_bytes / 1000
    for unit in ("kB", "MB"):
        if size < 999.95:  # what rounds to 1000.0 is one of the next unit
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
