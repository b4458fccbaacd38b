"""Signals of dolma's tagger ``gopher_v1`` that Millrace's own families do not have.

Read from dolma 669f534, ``python/dolma/taggers/gopher.py`` (`get_attributes`), after Rae et al.
2021 (Gopher, arXiv:2112.11446, appendix A.1.1). Words are what white space separates, so
`num_words`, `num_chars` and `alphabetic_words_ratio` are the tagger's too. Characters of words
leave out white space; ratios are 0.0 where there is nothing to divide by, except where said.
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
_DUPLICATE = (5, 6, 7, 8, 9, 10)  # and whose copies are, as in `pipelines.kernels.dolma_gopher`


def _top_field(size: int) -> pa.Field:
    return ratio_field(
        f"dolma_top_{size}_gram_chars_ratio",
        "characters per character of words",
        f"All copies of the most frequent {size} words in a row, copies that overlap counted each, "
        f"so it may be more than 1; of equally frequent ones the first, and with no repetition the "
        f"text's first {size} words.",
    )


def _duplicate_field(size: int) -> pa.Field:
    return ratio_field(
        f"dolma_duplicate_{size}_grams_chars_ratio",
        "characters per character of n-grams",
        f"Characters of each {size} words in a row that occur more than once, all copies, of those "
        f"of all {size} words in a row.",
        most=1.0,
    )


_FIELDS = (
    ratio_field("median_dolma_word_chars", "characters", "Median length of the words, with marks."),
    ratio_field("dolma_symbol_words_ratio", "words per word", "Words with '#' or '…'.", most=1.0),
    count_field(
        "num_dolma_required_words",
        "words",
        "Words that are one of Gopher's eight stop words, in lower case and without marks; each "
        "copy counts.",
    ),
    ratio_field(
        "dolma_bullet_lines_ratio",
        "lines per line",
        "Lines, blank ones too, that begin with '*' or '-', with nothing before.",
        most=1.0,
    ),
    ratio_field(
        "dolma_ellipsis_lines_ratio",
        "lines per line",
        "Lines, blank ones too, that end with '…', with nothing behind.",
        most=1.0,
    ),
    ratio_field(
        "dolma_duplicate_lines_ratio",
        "lines per line",
        "Lines that occur more than once, all copies, empty lines too.",
        most=1.0,
    ),
    ratio_field(
        "dolma_duplicate_lines_chars_ratio",
        "characters per character of words",
        "Characters, white space too, of lines that occur more than once, all copies. It may be "
        "more than 1; without words it is divided by 1.",
    ),
    *map(_top_field, _TOP),
    *map(_duplicate_field, _DUPLICATE),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels import dolma_gopher as kernel
    from pipelines.kernels.white_space_words import white_space_words

    words, hashes = texts.words(white_space_words), texts.word_hashes(white_space_words)
    counts = kernel.count_words(texts.codes, words, hashes, GOPHER_STOP_WORDS)
    lines = kernel.count_lines(texts.codes)
    ngrams = kernel.count_ngrams(words, hashes)
    values = {
        "median_dolma_word_chars": divide(counts.medians_twice, np.full(texts.num_texts, 2)),
        "dolma_symbol_words_ratio": divide(counts.symbols, counts.words),
        "num_dolma_required_words": counts.required,
        "dolma_bullet_lines_ratio": divide(lines.bullets, lines.lines),
        "dolma_ellipsis_lines_ratio": divide(lines.ellipses, lines.lines),
        "dolma_duplicate_lines_ratio": divide(lines.repeated, lines.lines),
        "dolma_duplicate_lines_chars_ratio": divide(
            lines.repeated_chars, np.maximum(counts.chars, 1)
        ),
    }
    for size, top in zip(_TOP, ngrams.top.T, strict=True):
        values[f"dolma_top_{size}_gram_chars_ratio"] = divide(top, counts.chars)
    for size, repeated, total in zip(_DUPLICATE, ngrams.repeated.T, ngrams.total.T, strict=True):
        values[f"dolma_duplicate_{size}_grams_chars_ratio"] = divide(repeated, total)
    return values


FAMILY = Family("dolma_gopher", _FIELDS, _measure, always=False)
