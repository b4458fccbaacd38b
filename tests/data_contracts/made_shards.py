"""Token shards made for tests, in two vocabularies."""

import numpy as np

from data_contracts.shards import Vocabulary
from data_contracts.write_shards import write_index, write_shard

SMALL = Vocabulary(600, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="ab" * 20, mask_id=4)
LARGE = Vocabulary(70_000, bos_id=0, eos_id=1, pad_id=None, tokenizer_digest="cd" * 20)


def framed(documents, vocabulary=SMALL):
    return [np.array([vocabulary.bos_id, *d, vocabulary.eos_id], np.int32) for d in documents]


def write(folder, documents, vocabulary=SMALL, name="train"):
    """Write a folder of one shard; a document's size in bytes is its number times 10."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [10 * i for i in range(len(documents))]
    entry = write_shard(folder, name, framed(documents, vocabulary), sizes, vocabulary.dtype)
    write_index(folder, vocabulary, [entry])
    return folder
