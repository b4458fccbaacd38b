"""Small token shards on disk, written and opened by the real contract; one thread for torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from data_contracts.open_shards import open_shards
from data_contracts.shards import ShardSet, Vocabulary
from data_contracts.write_shards import write_index, write_shard

sys.path.insert(0, str(Path(__file__).parent))

BOS, EOS = 1, 2

MakeShards = Callable[..., ShardSet]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_shards(tmp_path: Path) -> MakeShards:
    """Return a function that writes documents (lists of ids) in shards and opens them."""

    def make(
        shards: Sequence[Sequence[Sequence[int]]],
        vocab_size: int = 50,
        folder: str = "shards",
        tokenizer: str = "tokenizer-a",
    ) -> ShardSet:
        root = tmp_path / folder
        root.mkdir()
        vocabulary = Vocabulary(vocab_size, BOS, EOS, None, tokenizer)
        entries = [
            write_shard(
                root,
                f"tokens-{number:05d}",
                [np.array([BOS, *document, EOS], np.int64) for document in documents],
                [3 * len(document) for document in documents],
                vocabulary.dtype,
            )
            for number, documents in enumerate(shards)
        ]
        write_index(root, vocabulary, entries)
        return open_shards(root)

    return make


@pytest.fixture
def random_shards(make_shards: MakeShards) -> ShardSet:
    """Return two shards of 30 documents each, about 1,300 tokens, vocabulary 50."""
    draw = np.random.default_rng(0)
    documents = [draw.integers(3, 50, draw.integers(5, 40)).tolist() for _ in range(60)]
    return make_shards([documents[:30], documents[30:]])
