"""Signals of sentences, by the rule of `pipelines.kernels.sentences`."""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field

_FIELDS = (
    count_field(
        "num_sentences",
        "sentences",
        "Stretches with a letter or digit that end at '.', '!', '?' or '…' before white space, at "
        "'。', '！' or '？', or at the end of the text.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.sentences import count_sentences

    return {"num_sentences": count_sentences(texts.codes)}


FAMILY = Family("sentences", _FIELDS, _measure)
