"""Signals of dclm's Gopher filters that Millrace's own families do not have.

Read from dclm 361714b, ``baselines/mappers/filters/content_filters.py`` and
``baselines/mappers/core_utils.py``, after Rae et al. 2021 (Gopher, arXiv:2112.11446, appendix
A.1.1). dclm divides words in three ways. Lengths, symbols, letters and stop words go by white
space (`num_words` and `mean_word_chars` are dclm's too); the length of a document by fastText's
tokens; repetition by Unicode's word boundaries as the library uniseg finds them. dclm names no
version of uniseg; here it is 0.10.1 (`pipelines.kernels.uniseg_words`). Lines end at a newline,
paragraphs at two; both are trimmed, and empty ones left out. Ratios are 0.0 where there is nothing
to divide by.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import (
    GOPHER_STOP_WORDS,
    Family,
    SignalsConfig,
    count_field,
    divide,
    ratio_field,
)

_TOP = (2, 3, 4)  # words of n-grams whose most frequent one is measured,
_REPEATED = (5, 6, 7, 8, 9, 10)  # and whose copies are, as in `pipelines.kernels.dclm_gopher`


def _duplicate_fields(segments: str) -> tuple[pa.Field, pa.Field]:
    return (
        ratio_field(
            f"dclm_duplicate_{segments}_ratio",
            f"{segments} per {segments[:-1]}",
            f"{segments.capitalize()} that occur more than once, all copies.",
            most=1.0,
        ),
        ratio_field(
            f"dclm_duplicate_{segments}_chars_ratio",
            f"characters per character of {segments}",
            f"Characters of {segments} that occur more than once, all copies.",
            most=1.0,
        ),
    )


def _top_field(size: int) -> pa.Field:
    return ratio_field(
        f"dclm_top_{size}_gram_chars_ratio",
        "characters per character of uniseg's words",
        f"All copies of the most frequent {size} of uniseg's words in a row, of equally frequent "
        "ones the longest; 0.0 if none occurs twice. Copies that overlap count each, so it may be "
        "more than 1.",
    )


def _repeated_field(size: int) -> pa.Field:
    return ratio_field(
        f"dclm_repeated_{size}_grams_chars_ratio",
        "characters per character of uniseg's words",
        f"Characters of words that are in any {size} words in a row which occur more than once; a "
        "word counts once.",
        most=1.0,
    )


_FIELDS = (
    count_field(
        "num_dclm_words",
        "words",
        "What spaces, tabs, line ends and NUL separate (fastText's tokens) and begins with a "
        "letter, digit or number.",
    ),
    ratio_field(
        "dclm_symbols_ratio",
        "symbols per word",
        "Every '#', '...', '. . .' and '…' of the text, those of one kind not overlapping; may be "
        "more than 1.",
    ),
    ratio_field(
        "dclm_nonalphabetic_words_ratio", "words per word", "Words without a letter.", most=1.0
    ),
    count_field(
        "num_dclm_stop_words",
        "words",
        "Words that are one of Gopher's eight stop words, in any case and without marks; each copy "
        "counts.",
    ),
    count_field(
        "num_dclm_different_stop_words",
        "different words",
        "How many of Gopher's eight stop words occur, in any case and without marks.",
    ),
    count_field("num_dclm_lines", "lines", "Lines that are not blank."),
    count_field("num_dclm_paragraphs", "paragraphs", "Paragraphs that are not blank."),
    count_field("num_dclm_bullet_lines", "lines", "Lines that begin with '●', '•', '*' or '-'."),
    count_field("num_dclm_ellipsis_lines", "lines", "Lines that end with '...', '. . .' or '…'."),
    *_duplicate_fields("lines"),
    *_duplicate_fields("paragraphs"),
    *map(_top_field, _TOP),
    *map(_repeated_field, _REPEATED),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels import dclm_gopher as kernel
    from pipelines.kernels.uniseg_words import uniseg_words
    from pipelines.kernels.white_space_words import white_space_words

    marks = kernel.count_marks(texts.codes)
    words = kernel.count_words(texts.codes, texts.words(white_space_words), GOPHER_STOP_WORDS)
    lines = kernel.count_segments(texts.codes, num_newlines=1)
    paragraphs = kernel.count_segments(texts.codes, num_newlines=2)
    ngrams = kernel.count_ngrams(texts.words(uniseg_words), texts.word_hashes(uniseg_words))
    values = {
        "num_dclm_words": marks.words,
        "dclm_symbols_ratio": divide(marks.symbols, words.words),
        "dclm_nonalphabetic_words_ratio": divide(words.without_letter, words.words),
        "num_dclm_stop_words": words.stop_words,
        "num_dclm_different_stop_words": words.different_stop_words,
        "num_dclm_lines": lines.segments,
        "num_dclm_paragraphs": paragraphs.segments,
        "num_dclm_bullet_lines": lines.bullets,
        "num_dclm_ellipsis_lines": lines.ellipses,
    }
    for name, counts in (("lines", lines), ("paragraphs", paragraphs)):
        values[f"dclm_duplicate_{name}_ratio"] = divide(counts.repeated, counts.segments)
        values[f"dclm_duplicate_{name}_chars_ratio"] = divide(counts.repeated_chars, counts.chars)
    for size, top in zip(_TOP, ngrams.top.T, strict=True):
        values[f"dclm_top_{size}_gram_chars_ratio"] = divide(top, ngrams.chars)
    for size, repeated in zip(_REPEATED, ngrams.repeated.T, strict=True):
        values[f"dclm_repeated_{size}_grams_chars_ratio"] = divide(repeated, ngrams.chars)
    return values


FAMILY = Family("dclm_gopher", _FIELDS, _measure, always=False)
