"""How ordinary the words of a text are: their probabilities by a table of counts.

The measure is that of peS2o and of datatrove's ``UnigramLogProbFilter``, which keeps a text whose
mean is above -10; a word that the table lacks has the probability 1e-9, as there. Deviations: words
are divided by white space and trimmed of marks, not spaCy's. A text without words has 0.0.
The table is the user's (`pipelines.signals.lists_config`) or the package's: the 20,000 words that
are most frequent in 277 English books of Project Gutenberg, none younger than about a century, so
modern names are unknown to it. A threshold belongs to a table.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, divide, ratio_field
from pipelines.signals.lists_config import ListsConfig, read_counts

_FIELDS = (
    pa.field(
        "mean_word_log_probability",
        pa.float64(),
        nullable=False,
        metadata={
            "description": "Mean natural logarithm of the probabilities of the words, as "
            "white space divides them, folded and without marks at their ends, by the table of "
            "unigrams; 1e-9 for other words, 0.0 without words.",
            "unit": "natural logarithm per word",
            "most": "0.0",
        },
    ),
    ratio_field(
        "known_words_ratio",
        "words per word",
        "Words that the table of unigrams has; 0.0 without words.",
        most=1.0,
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.unigram_table import UNIT, count_unigrams
    from pipelines.kernels.white_space_words import white_space_words

    words = texts.words(white_space_words)
    counts = count_unigrams(texts.codes, words, _table(config.lists))
    return {
        "mean_word_log_probability": divide(counts.total, counts.words * UNIT),
        "known_words_ratio": divide(counts.known, counts.words),
    }


@cache
def _table(config: ListsConfig) -> Any:
    from pipelines.kernels.unigram_table import build_table

    return build_table(read_counts(config))


FAMILY = Family("unigrams", _FIELDS, _measure, always=False)
