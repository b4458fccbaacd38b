"""What datatrove 0.10 holds for punctuation, from ``datatrove_punctuation.npz``.

Two sets of ``datatrove/utils/text.py``, code point by code point; they differ from every class of
Unicode (``１`` is in the first, ``·`` is not). Made by
`tools.build_datatrove_punctuation`.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.kernels.unicode_table import NUM_CODE_POINTS

TABLE_PATH = Path(__file__).with_name("datatrove_punctuation.npz")


class Punctuation(NamedTuple):
    """Sets of characters, as bool by code point, and the version of datatrove that has them."""

    punctuation: np.ndarray  # PUNCTUATION_SET: control characters and all of `terminal` too
    terminal: np.ndarray  # TERMINAL_PUNCTUATION: what ends a sentence in any script
    datatrove_version: str


@cache
def load_datatrove_punctuation() -> Punctuation:
    """Read the package's table once; its arrays are read-only and about 2 MB."""
    with np.load(TABLE_PATH) as stored:
        return Punctuation(
            _members(stored["punctuation"]),
            _members(stored["terminal"]),
            str(stored["datatrove_version"]),
        )


def _members(codes: np.ndarray) -> np.ndarray:
    members = np.zeros(NUM_CODE_POINTS, dtype=np.bool_)
    members[codes] = True
    members.flags.writeable = False
    return members
