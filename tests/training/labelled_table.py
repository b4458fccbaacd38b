"""A small labelled table whose classes a model can learn: each has ids of its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from data_contracts.labels import LABELLED

BOS, EOS = 1, 2
CLASSES = ("a", "b", "c")


def labelled_table(train: int = 20, dev: int = 6, test: int = 5, longest: int = 12) -> pa.Table:
    """Return so many documents of each class; class k is rich in the ids from 10 + 10 k."""
    draw = np.random.default_rng(0)
    rows = []
    for partition, count in (("train", train), ("dev", dev), ("test", test)):
        for number in range(count * len(CLASSES)):
            label = number % len(CLASSES)
            own = draw.integers(10 + 10 * label, 20 + 10 * label, draw.integers(3, longest))
            noise = draw.integers(3, 40, len(own))
            ids = np.where(draw.random(len(own)) < 0.6, own, noise).tolist()
            rows.append(
                {
                    "doc_id": f"{partition}-{number:03d}",
                    "partition": partition,
                    "group": None,
                    "label": label,
                    "class_name": CLASSES[label],
                    "text": "",
                    "ids": [BOS, *ids, EOS],
                }
            )
    return pa.Table.from_pylist(rows, LABELLED)
