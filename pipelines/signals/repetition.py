"""Signals of repetition: lines, paragraphs and n-grams of words that a text has more than once.

They are Gopher's measures (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1 and table A1) in the
project's own dialect ``millrace``. Lines and paragraphs are those of `pipelines.signals.lines`,
trimmed of white space, words are what white space separates. Where the paper leaves open how copies
are counted, a second or later copy counts and the first does not, and no character counts twice: so
each signal is a share. All are 0.0 in a text without words.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, divide, ratio_field

_SHARE = "characters per character"


def _top_field(n: int) -> pa.Field:
    return ratio_field(
        f"top_{n}gram_chars_ratio",
        _SHARE,
        f"Characters of the most frequent {n} words in a row, times how often they stand without "
        "overlapping themselves, of the characters of all words. Of equally frequent ones the "
        "longest counts; 0 if none stands twice.",
        most=1.0,
    )


def _copied_field(n: int) -> pa.Field:
    return ratio_field(
        f"duplicated_{n}gram_chars_ratio",
        _SHARE,
        f"Characters of words that belong to {n} words in a row which stood in the text before, of "
        "the characters of all words.",
        most=1.0,
    )


_TOP_LENGTHS, _COPIED_LENGTHS = (2, 3, 4), (5, 6, 7, 8, 9, 10)
_FIELDS = (
    ratio_field(
        "duplicate_paragraphs_ratio",
        "paragraphs per paragraph",
        "Paragraphs equal to an earlier one of the text.",
        most=1.0,
    ),
    ratio_field(
        "duplicate_paragraph_chars_ratio",
        _SHARE,
        "Characters of paragraphs equal to an earlier one, of those of all paragraphs.",
        most=1.0,
    ),
    ratio_field(
        "duplicate_line_chars_ratio",
        _SHARE,
        "Characters of lines equal to an earlier line of the text, of those of all lines.",
        most=1.0,
    ),
    *map(_top_field, _TOP_LENGTHS),
    *map(_copied_field, _COPIED_LENGTHS),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.pieces import count_pieces, lines_and_paragraphs, sum_by_text
    from pipelines.kernels.repetition import count_repetition
    from pipelines.kernels.white_space_words import white_space_words

    found = lines_and_paragraphs(texts.codes)
    lines, paragraphs = (count_pieces(texts.codes, pieces) for pieces in found)
    words = texts.words(white_space_words)
    grams = count_repetition(words, texts.word_hashes(white_space_words))
    num_chars = sum_by_text(words.ends - words.starts, words.offsets)
    columns = [
        divide(paragraphs.copies, paragraphs.pieces),
        divide(paragraphs.copied_chars, paragraphs.chars),
        divide(lines.copied_chars, lines.chars),
        *(divide(chars, num_chars) for chars in (*grams.top_chars.T, *grams.copied_chars.T)),
    ]
    return dict(zip((field.name for field in _FIELDS), columns, strict=True))


FAMILY = Family("repetition", _FIELDS, _measure)
