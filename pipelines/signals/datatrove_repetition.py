r"""Signals that datatrove 0.10 decides by in its Gopher repetition filter.

The measures of ``datatrove/pipeline/filters/gopher_repetition_filter.py``: words are spaCy's
tokens; paragraphs are what ``re.split(r"\n{2,}", text.strip())`` gives, lines what
``re.split(r"\n+", text)`` gives, so that a text which ends in a newline has an empty line more.
Characters are counted of the whole text. One deviation: in an empty text, on which the filter fails
with a division by 0, every ratio is 0.0.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, divide, ratio_field

_SHARE = "characters per character"


def _top_field(n: int) -> pa.Field:
    return ratio_field(
        f"datatrove_top_{n}gram_chars_ratio",
        _SHARE,
        f"Length of the most frequent {n} words in a row, joined by spaces, times how often they "
        "stand; of equally frequent ones the first counts, even if it stands once. May be more "
        "than 1.",
    )


def _copied_field(n: int) -> pa.Field:
    return ratio_field(
        f"datatrove_duplicated_{n}gram_chars_ratio",
        _SHARE,
        f"Characters of {n} words in a row that were met before, joined without spaces; those that "
        "overlap one that counts are passed over.",
        most=1.0,
    )


_TOP_LENGTHS, _COPIED_LENGTHS = (2, 3, 4), (5, 6, 7, 8, 9, 10)
_FIELDS = (
    ratio_field(
        "datatrove_duplicate_paragraphs_ratio",
        "paragraphs per paragraph",
        "Paragraphs equal to an earlier one: second and later copies only.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_duplicate_paragraph_chars_ratio",
        _SHARE,
        "Characters of paragraphs equal to an earlier one.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_duplicate_lines_ratio",
        "lines per line",
        "Lines equal to an earlier one, empty first and last ones too.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_duplicate_line_chars_ratio",
        _SHARE,
        "Characters of lines equal to an earlier one.",
        most=1.0,
    ),
    *map(_top_field, _TOP_LENGTHS),
    *map(_copied_field, _COPIED_LENGTHS),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.newline_pieces import newline_lines, newline_paragraphs
    from pipelines.kernels.pieces import count_pieces
    from pipelines.kernels.repetition import count_like_datatrove
    from pipelines.kernels.spacy_words import spacy_words

    paragraphs = count_pieces(texts.codes, newline_paragraphs(texts.codes))
    lines = count_pieces(texts.codes, newline_lines(texts.codes))
    grams = count_like_datatrove(
        texts.codes, texts.words(spacy_words), texts.word_hashes(spacy_words)
    )
    num_chars = np.diff(texts.codes.offsets)
    columns = [
        divide(paragraphs.copies, paragraphs.pieces),
        divide(paragraphs.copied_chars, num_chars),
        divide(lines.copies, lines.pieces),
        divide(lines.copied_chars, num_chars),
        *(divide(chars, num_chars) for chars in (*grams.top_chars.T, *grams.copied_chars.T)),
    ]
    return dict(zip((field.name for field in _FIELDS), columns, strict=True))


FAMILY = Family("datatrove_repetition", _FIELDS, _measure, always=False)
