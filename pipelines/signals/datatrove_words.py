"""Signals that datatrove 0.10 decides by in its Gopher quality filter.

The measures of ``datatrove/pipeline/filters/gopher_quality_filter.py`` with its default settings
for English: words are spaCy's tokens, lines those of ``str.splitlines``, blank ones too. Two
deviations: which characters are letters is fixed by the project's own table of Unicode, and where
the filter would divide by 0 (texts that it drops or fails on before) a ratio is 0.0.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import (
    GOPHER_STOP_WORDS,
    Family,
    SignalsConfig,
    count_field,
    divide,
    ratio_field,
)

_FIELDS = (
    count_field("num_datatrove_words", "words", "Words that spaCy finds, punctuation too."),
    count_field(
        "num_datatrove_nonsymbol_words",
        "words",
        "Words with a character that is not in datatrove's PUNCTUATION_SET.",
    ),
    ratio_field(
        "mean_datatrove_word_chars",
        "characters per word",
        "Mean length of the words with a character that is not in datatrove's PUNCTUATION_SET.",
    ),
    ratio_field(
        "datatrove_hash_words_ratio",
        "hash signs per word",
        "Every '#' of the text; may be more than 1.",
    ),
    ratio_field(
        "datatrove_ellipsis_words_ratio",
        "ellipses per word",
        "Every '...' (not overlapping) and '…' of the text; may be more than 1.",
    ),
    ratio_field(
        "datatrove_bullet_lines_ratio",
        "lines per line",
        "Lines that begin with '•' or '-', white space aside; blank lines count as lines.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_ellipsis_lines_ratio",
        "lines per line",
        "Lines that end with '...' or '…', white space aside; blank lines count as lines.",
        most=1.0,
    ),
    ratio_field(
        "datatrove_alphabetic_words_ratio",
        "words per word",
        "Words with at least one letter, of all words, punctuation too.",
        most=1.0,
    ),
    count_field(
        "num_datatrove_stop_words",
        "different words",
        "How many of Gopher's eight stop words occur as words, written in lower case.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation
    from pipelines.kernels.line_marks import count_marks
    from pipelines.kernels.spacy_words import spacy_words
    from pipelines.kernels.word_measures import measure_words

    words = measure_words(
        texts.codes,
        texts.words(spacy_words),
        texts.word_hashes(spacy_words),
        load_datatrove_punctuation().punctuation,
        GOPHER_STOP_WORDS,
    )
    marks = count_marks(texts.codes)
    return {
        "num_datatrove_words": words.words,
        "num_datatrove_nonsymbol_words": words.nonsymbol,
        "mean_datatrove_word_chars": divide(words.nonsymbol_chars, words.nonsymbol),
        "datatrove_hash_words_ratio": divide(marks.hash_signs, words.words),
        "datatrove_ellipsis_words_ratio": divide(marks.ellipses, words.words),
        "datatrove_bullet_lines_ratio": divide(marks.bullets, marks.lines),
        "datatrove_ellipsis_lines_ratio": divide(marks.open_ends, marks.lines),
        "datatrove_alphabetic_words_ratio": divide(words.alphabetic, words.words),
        "num_datatrove_stop_words": words.stop_words,
    }


FAMILY = Family("datatrove_words", _FIELDS, _measure, always=False)
