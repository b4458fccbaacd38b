r"""Signals that datatrove 0.10 decides by in its FineWeb quality filter.

The measures of ``datatrove/pipeline/filters/fineweb_quality_filter.py`` with its default settings
for English. Lines are what ``\n`` separates, without those that hold nothing but white space; they
are not trimmed, so that a space at a line's end hides the mark before it. Words are spaCy's tokens.
Ratios are 0.0 in a text without lines, which the filter drops before it asks for any.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field, divide, ratio_field

SHORT_LINE_CHARS = 30

_FIELDS = (
    count_field(
        "num_datatrove_nonblank_lines", "lines", "Lines with something other than white space."
    ),
    ratio_field(
        "datatrove_punctuated_lines_ratio",
        "lines per line",
        "Lines whose last character is in datatrove's TERMINAL_PUNCTUATION.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_short_lines_ratio",
        "lines per line",
        f"Lines of at most {SHORT_LINE_CHARS} characters.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_duplicate_nonblank_line_chars_ratio",
        "characters per character",
        "Characters of lines equal to an earlier one, of all characters that are no newline.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_newline_words_ratio",
        "newlines per word",
        "Every newline of the text; may be more than 1.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation
    from pipelines.kernels.newline_pieces import newline_lines, without_blank
    from pipelines.kernels.pieces import count_pieces, sum_by_text
    from pipelines.kernels.spacy_words import spacy_words

    offsets, codes = texts.codes
    lines = without_blank(texts.codes, newline_lines(texts.codes))
    counts = count_pieces(texts.codes, lines)
    is_punctuated = load_datatrove_punctuation().terminal[codes[lines.ends - 1]]
    is_short = lines.ends - lines.starts <= SHORT_LINE_CHARS
    num_newlines = sum_by_text(codes == ord("\n"), offsets)
    return {
        "num_datatrove_nonblank_lines": counts.pieces,
        "datatrove_punctuated_lines_ratio": divide(
            sum_by_text(is_punctuated, lines.offsets), counts.pieces
        ),
        "datatrove_short_lines_ratio": divide(sum_by_text(is_short, lines.offsets), counts.pieces),
        "datatrove_duplicate_nonblank_line_chars_ratio": divide(
            counts.copied_chars, np.diff(offsets) - num_newlines
        ),
        "datatrove_newline_words_ratio": divide(
            num_newlines, np.diff(texts.words(spacy_words).offsets)
        ),
    }


FAMILY = Family("datatrove_lines", _FIELDS, _measure, always=False)
