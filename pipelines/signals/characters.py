"""Signals of size and of the kinds of characters.

Classes are those of the package's own table (`pipelines.kernels.unicode_table`); ratios are of all
characters, 0.0 in an empty text.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field, divide, ratio_field

_FIELDS = (
    count_field("num_bytes", "bytes", "Length of the text in UTF-8."),
    count_field("num_chars", "characters", "Length of the text in Unicode code points."),
    ratio_field(
        "alphabetic_chars_ratio",
        "letters per character",
        "Letters of any script, as str.isalpha.",
        most=1.0,
    ),
    ratio_field(
        "digit_chars_ratio",
        "digits per character",
        "Decimal digits of any script (category Nd).",
        most=1.0,
    ),
    ratio_field(
        "upper_chars_ratio",
        "upper-case letters per character",
        "Upper case, as str.isupper.",
        most=1.0,
    ),
    ratio_field(
        "whitespace_chars_ratio", "spaces per character", "White space, as str.isspace.", most=1.0
    ),
    ratio_field(
        "symbol_chars_ratio",
        "punctuation marks and symbols per character",
        "Punctuation marks and symbols of any script (categories P and S).",
        most=1.0,
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.characters import count_characters

    counts = count_characters(texts.codes)
    return {
        "num_bytes": np.diff(texts.buffers.offsets),
        "num_chars": counts.chars,
        "alphabetic_chars_ratio": divide(counts.alphabetic, counts.chars),
        "digit_chars_ratio": divide(counts.digits, counts.chars),
        "upper_chars_ratio": divide(counts.upper, counts.chars),
        "whitespace_chars_ratio": divide(counts.spaces, counts.chars),
        "symbol_chars_ratio": divide(counts.symbols, counts.chars),
    }


FAMILY = Family("characters", _FIELDS, _measure)
