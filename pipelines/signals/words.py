"""Signals of words, which are what white space separates (as ``str.split``), marks included.

They are Gopher's measures of quality (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1) in the
project's own dialect ``millrace``; deviations are in the descriptions. Ratios are 0.0 in a text
without words.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field, divide, ratio_field

_FIELDS = (
    count_field("num_words", "words", "What white space separates."),
    count_field("max_word_chars", "characters", "Length of the longest word; 0 without words."),
    ratio_field("mean_word_chars", "characters per word", "Mean length of the words, with marks."),
    ratio_field(
        "alphabetic_words_ratio", "words per word", "Words with at least one letter.", most=1.0
    ),
    ratio_field(
        "hash_words_ratio", "hash signs per word", "Every '#' of the text; may be more than 1."
    ),
    ratio_field(
        "ellipsis_words_ratio",
        "ellipses per word",
        "Every '...' (not overlapping) and '…' of the text; may be more than 1.",
    ),
    count_field(
        "num_stop_words",
        "different words",
        "How many of the configured stop words occur, whatever their case, once marks are trimmed "
        "from the ends of words. Gopher matches upper and lower case apart.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.white_space_words import white_space_words
    from pipelines.kernels.words import count_words

    counts = count_words(texts.codes, texts.words(white_space_words), config.stop_words)
    return {
        "num_words": counts.words,
        "max_word_chars": counts.longest,
        "mean_word_chars": divide(counts.chars, counts.words),
        "alphabetic_words_ratio": divide(counts.alphabetic, counts.words),
        "hash_words_ratio": divide(counts.hash_signs, counts.words),
        "ellipsis_words_ratio": divide(counts.ellipses, counts.words),
        "num_stop_words": counts.stop_words,
    }


FAMILY = Family("words", _FIELDS, _measure)
