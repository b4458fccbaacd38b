"""Write ``unicode_table.npz``: which characters are spaces or letters, and how they fold.

Signals and normalised forms must not change with the Python that runs them, and ``unicodedata``
differs between Python versions. So the package carries one table, made by this script::

    python -m tools.build_unicode_table

Run it with the newest Python that has the Unicode version you want. Another table changes rows:
raise ``VERSION`` in `pipelines.compute_signals` and `pipelines.dedupe.compute_signatures` with it.
Written are runs (``run_starts``, ``run_classes``), the pairs of the folding (``fold_from``,
``fold_to``) and ``unicode_version``; `pipelines.kernels.unicode_table` reads them.
"""

import unicodedata
from pathlib import Path

import numpy as np

from pipelines.kernels import unicode_table as table


def character_class(code: int) -> int:
    """Return the class bits of one code point, from this Python's ``str`` and ``unicodedata``."""
    char = chr(code)
    category = unicodedata.category(char)
    bits = {
        table.SPACE: char.isspace(),
        table.ALPHABETIC: char.isalpha(),
        table.DIGIT: char.isdecimal(),
        table.UPPER: char.isupper(),
        table.LINE_BREAK: len(f"a{char}b".splitlines()) > 1,
        table.PUNCTUATION: category.startswith("P"),
        table.SYMBOL: category.startswith("S"),
        table.INVISIBLE: category == "Cf",
    }
    return sum(bit for bit, is_member in bits.items() if is_member)


def folded(code: int) -> int:
    """Return the one code point that a code point folds to, itself where folding gives several."""
    char = chr(code)
    for candidate in (char.casefold(), char.lower()):
        if len(candidate) == 1:
            return ord(candidate)
    return code


def build(path: Path) -> None:
    """Write the table of this Python's Unicode version to ``path``."""
    codes = range(table.NUM_CODE_POINTS)
    classes = np.array([character_class(code) for code in codes], dtype=np.uint8)
    run_starts = np.flatnonzero(np.diff(classes, prepend=classes[0] + 1)).astype(np.int32)
    pairs = [(code, target) for code in codes if (target := folded(code)) != code]
    fold_from, fold_to = np.array(pairs, dtype=np.int32).T
    np.savez_compressed(
        path,
        run_starts=run_starts,
        run_classes=classes[run_starts],
        fold_from=fold_from,
        fold_to=fold_to,
        unicode_version=np.array(unicodedata.unidata_version),
    )


if __name__ == "__main__":
    build(table.TABLE_PATH)
