"""Schemas of labelled documents and of what models said about them.

`LABELLED` comes from `pack_labels`, `PREDICTIONS` from fine-tuning and from the baseline, `SCORES`
from `evaluate`. A class is a number from 0, in the alphabetical order of the classes' names.
"""

from __future__ import annotations

import pyarrow as pa

PARTITIONS = ("train", "dev", "test")

# One row per labelled document that is used. `text` is what every model reads, the baseline too:
# words that name a label are already masked in it. `ids` are its tokens, cut as the recipe says.
LABELLED = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),  # "train", "dev" or "test"
        pa.field("group", pa.string()),  # documents of one group are in one partition
        pa.field("label", pa.int32(), nullable=False),  # number of the class
        pa.field("class_name", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("ids", pa.list_(pa.int32()), nullable=False),  # [BOS] … [EOS], or cut before EOS
    ]
)

# One row per model and labelled document of dev and test. `arm` is the name of what is compared:
# "pretrained", "scratch", "tfidf". Arms without chance in them have the one seed 0.
PREDICTIONS = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("seed", pa.int32(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),  # "dev" or "test"
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("predicted", pa.int32(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),  # of the predicted class
    ]
)

# Scores of an arm (`against` is null), or the difference of two arms, `arm` minus `against`, on the
# same documents, with a verdict. `low` and `high` bound the 95 % bootstrap interval over groups of
# documents and over seeds.
SCORES = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("against", pa.string()),
        pa.field("metric", pa.string(), nullable=False),  # "accuracy" or "macro_f1"
        pa.field("value", pa.float64(), nullable=False),  # mean over the seeds; in [0, 1]
        pa.field("low", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
        pa.field("num_documents", pa.int64(), nullable=False),
        pa.field("num_seeds", pa.int32(), nullable=False),  # of `arm`
        pa.field("verdict", pa.string()),  # "better", "equal" or "worse"; null for one arm
    ]
)
