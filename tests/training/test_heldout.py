"""Held-out scores: every document's nats, and bytes counted from its text."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from data_contracts.errors import InputError
from data_contracts.open_shards import open_shards
from data_contracts.shards import ShardSet, Vocabulary
from data_contracts.write_shards import write_index, write_shard
from training import heldout
from training.heldout import Scorer, score_documents
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.precision import Precision

BOS, EOS = 1, 2
CONFIG = ModelConfig(50, 2, 32, 4, 2, 48, 64)


def scorer(context_tokens: int, max_tokens: int | None = None) -> Scorer:
    precision = Precision("float32", "asked for")
    return Scorer(context_tokens, 3, precision, torch.device("cpu"), max_tokens)


def sharp(seed: int = 0) -> Transformer:
    model = new_model(CONFIG, seed)
    with torch.no_grad():
        model.embedding.weight.mul_(20)
    return model


def nats_alone(model: Transformer, document: np.ndarray) -> float:
    tokens = torch.from_numpy(document.astype(np.int64))
    with torch.no_grad():
        shares = model(tokens[None, :-1])[0].double().log_softmax(-1)
    return -float(sum(shares[t, tokens[t + 1]] for t in range(len(tokens) - 1)))


def documents_of(shards: ShardSet) -> list[tuple[np.ndarray, int]]:
    return [
        (shard.tokens[begin:end], int(size))
        for shard in shards.shards
        for begin, end, size in zip(shard.offsets, shard.offsets[1:], shard.num_bytes, strict=False)
    ]


def test_documents_that_lie_in_one_row_score_as_if_alone(make_shards) -> None:
    documents = [[5, 6, 7, 8, 9, 10], [11, 12], [13, 14, 15, 16]]
    shards = make_shards([documents, documents[::-1]])
    model = sharp()
    scores = score_documents(model, shards, scorer(context_tokens=40))
    expected = [nats_alone(model, document) for document, _ in documents_of(shards)]
    assert scores.nats_N == pytest.approx(expected, rel=1e-5)
    assert scores.num_targets_N.tolist() == [7, 3, 5, 5, 3, 7]
    assert scores.num_bytes_N.tolist() == [18, 6, 12, 12, 6, 18]
    bits = sum(expected) / math.log(2)
    assert scores.bits_per_byte == pytest.approx(bits / 72, rel=1e-5)
    assert scores.loss == pytest.approx(sum(expected) / 30, rel=1e-5)


def test_a_model_that_knows_nothing_needs_the_bits_of_a_uniform_draw(
    random_shards: ShardSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = new_model(CONFIG, 0)
    with torch.no_grad():
        model.embedding.weight.zero_()
    targets = [len(document) - 1 for document, _ in documents_of(random_shards)]
    for run_tokens in (1 << 16, 200, 1):  # however the documents are bundled
        monkeypatch.setattr(heldout, "_RUN_TOKENS", run_tokens)
        scores = score_documents(model, random_shards, scorer(context_tokens=16))
        assert scores.num_targets_N.tolist() == targets
        assert scores.nats_N == pytest.approx(np.array(targets) * math.log(50), rel=1e-5)
        assert scores.indexes_N.tolist() == list(range(60))


def test_a_part_is_every_kth_document(random_shards: ShardSet) -> None:
    model = sharp()
    whole = score_documents(model, random_shards, scorer(64))
    some = score_documents(model, random_shards, scorer(64, random_shards.num_tokens // 6))
    assert some.indexes_N.tolist() == list(range(0, 60, 7))
    assert some.num_bytes_N.tolist() == whole.num_bytes_N[::7].tolist()


def test_nothing_held_out_is_said(make_shards: Callable[..., ShardSet]) -> None:
    with pytest.raises(InputError, match="no held-out document"):
        score_documents(sharp(), make_shards([[]]), scorer(16))


def test_what_a_mask_does_not_ask_for_is_read_and_not_scored(tmp_path) -> None:
    documents = [[BOS, 5, 6, 7, 8, EOS], [BOS, 9, 10, EOS], [BOS, 11, 12, 13, EOS]]
    masks = [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 0, 1]]
    vocabulary = Vocabulary(50, BOS, EOS, None, "tokenizer-a")
    entry = write_shard(
        tmp_path, "chat", map(np.array, documents), [9, 9, 9], "<u2", mask=np.concatenate(masks)
    )
    write_index(tmp_path, vocabulary, [entry])
    model = sharp()
    scores = score_documents(model, open_shards(tmp_path), scorer(context_tokens=40))
    expected = []
    for document, mask in zip(documents, masks, strict=True):
        tokens = torch.tensor(document)
        with torch.no_grad():
            shares = model(tokens[None, :-1])[0].double().log_softmax(-1)
        asked = [t for t in range(1, len(document)) if mask[t]]
        expected.append(-float(sum(shares[t - 1, tokens[t]] for t in asked)))
    assert scores.nats_N == pytest.approx(expected, rel=1e-5)
    assert scores.num_targets_N.tolist() == [3, 2, 2]
    assert scores.loss == pytest.approx(sum(expected) / 7, rel=1e-5)
