"""Write ``simplify_table.npz``: what datatrove's ``simplify_text`` makes of each character.

Run it with Python 3.11 where datatrove 0.10 and regex are installed::

    .venv-peers/bin/python -m tools.build_simplify_table

Written are runs of classes (``run_starts``, ``run_classes``), characters that change
(``simple_from``, ``simple_to``), ``pieces`` of those that become several, and ``source``;
`pipelines.kernels.simplify_table` reads them.
"""

import unicodedata
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipelines.kernels import simplify_table as table
from pipelines.kernels.unicode_table import NUM_CODE_POINTS

_SEPARATORS = ".,،٫⎖⎗⎘"  # of NUMBERS_PATTERN


def build(path: Path) -> None:
    """Write the table of this Python and the installed datatrove to ``path``."""
    import regex
    from datatrove.utils.text import PUNCTUATION

    is_digit = regex.compile(r"\p{Nd}").match
    gaps = {ord(char) for char in PUNCTUATION}
    classes = np.zeros(NUM_CODE_POINTS, dtype=np.uint16)
    changed: dict[int, int] = {}
    pieces: list[list[int]] = []
    for code in range(NUM_CODE_POINTS):
        char = chr(code)
        classes[code] = class_of(char, bool(is_digit(char)), code in gaps)
        left = simplified(char)
        if len(left) == 1:
            changed[code] = left[0]
        elif len(left) > 1:
            changed[code] = -1 - len(pieces)
            pieces.append(left + [-1] * (table.MAX_PIECES - len(left)))
    changed = {code: left for code, left in changed.items() if code != left}
    run_starts = np.flatnonzero(np.diff(classes, prepend=classes[0] + 1)).astype(np.int32)
    source = f"datatrove {version('datatrove')}, regex {version('regex')}"
    np.savez_compressed(
        path,
        run_starts=run_starts,
        run_classes=classes[run_starts],
        simple_from=np.array(list(changed), dtype=np.int32),
        simple_to=np.array(list(changed.values()), dtype=np.int32),
        pieces=np.array(pieces, dtype=np.int32),
        source=np.array(f"{source}, Unicode {unicodedata.unidata_version}"),
    )


def class_of(char: str, is_digit: bool, is_punctuation: bool) -> int:
    """Return the class of a character; what its case does is asked of a sigma behind it."""
    is_cased = f"{char}Σ".lower().endswith("ς")
    bits = {
        table.DIGIT: is_digit,
        table.SEPARATOR: char in _SEPARATORS,
        table.GAP: is_punctuation or char.isspace(),
        table.CASED: is_cased,
        table.CASE_IGNORABLE: not is_cased and f"a{char}Σ".lower().endswith("ς"),
        table.NONSPACING: unicodedata.category(char) == "Mn",
    }
    order = unicodedata.combining(char) << table.ORDER_SHIFT
    return order + sum(bit for bit, is_member in bits.items() if is_member)


def simplified(char: str) -> list[int]:
    """Return what lower case and decomposition leave, without marks that no order depends on."""
    left = unicodedata.normalize("NFD", char.lower())
    return [
        ord(one)
        for one in left
        if unicodedata.category(one) != "Mn" or not unicodedata.combining(one)
    ]


if __name__ == "__main__":
    build(table.TABLE_PATH)
