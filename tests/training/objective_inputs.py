"""What masked and supervised pre-training read besides shards, made up for shards of tests."""

from __future__ import annotations

import numpy as np

from data_contracts.shards import ShardSet
from training.config import PretrainConfig
from training.document_labels import DocumentLabels, number_labels
from training.masking import Pieces

MASK = 3


def inputs_of(
    config: PretrainConfig, shards: ShardSet
) -> tuple[Pieces | None, DocumentLabels | None]:
    """Return pieces for masked, labels for supervised; some documents have no label."""
    if config.objective == "masked":
        kinds_V = np.random.default_rng(0).integers(0, 3, shards.vocab_size).astype(np.uint8)
        return Pieces(MASK, (0, 1, 2), kinds_V if config.whole_words else None), None
    if config.objective == "supervised":
        draw = np.random.default_rng(0)
        names = np.array(["a", "b", "c", None])
        values = [
            names[draw.integers(0, 4, shards.num_documents)].tolist() for _ in config.label_columns
        ]
        return None, number_labels(config.label_columns, values, values)
    return None, None
