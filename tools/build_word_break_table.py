"""Write ``word_break_table.npz``: Unicode's Word_Break property, as the library uniseg has it.

Run it where uniseg is installed, with a Python of the Unicode version of ``unicode_table.npz``,
from which ``str.isalnum`` comes::

    python -m tools.build_word_break_table

Another table changes rows: raise ``VERSION`` in `pipelines.compute_signals` with it. Written are
runs (``run_starts``, ``run_classes``) and ``source``; `pipelines.kernels.word_break_table` reads
them.
"""

import unicodedata
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipelines.kernels import word_break_table as table
from pipelines.kernels.unicode_table import NUM_CODE_POINTS


def build(path: Path) -> None:
    """Write the table of this Python and its uniseg to ``path``."""
    from uniseg.emoji import extended_pictographic
    from uniseg.wordbreak import word_break

    classes = np.zeros(NUM_CODE_POINTS, dtype=np.uint8)
    for code in range(NUM_CODE_POINTS):
        char = chr(code)
        classes[code] = table.KIND_OF_NAME[word_break(char).value]
        classes[code] |= table.PICTOGRAPHIC * bool(extended_pictographic(char))
        classes[code] |= table.ALPHANUMERIC * char.isalnum()
    run_starts = np.flatnonzero(np.diff(classes, prepend=classes[0] + 1)).astype(np.int32)
    source = f"uniseg {version('uniseg')}, str.isalnum of Unicode {unicodedata.unidata_version}"
    np.savez_compressed(
        path, run_starts=run_starts, run_classes=classes[run_starts], source=np.array(source)
    )


if __name__ == "__main__":
    build(table.TABLE_PATH)
