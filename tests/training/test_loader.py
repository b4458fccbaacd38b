"""Batches: a function of shards, seed and step; each token once an epoch; wrong shards refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from data_contracts.errors import InputError
from data_contracts.open_shards import open_shards
from data_contracts.shards import ShardSet, Vocabulary
from data_contracts.write_shards import write_index, write_shard
from training.config import PACKINGS
from training.loader import (
    PADDING,
    Loader,
    check_ids,
    check_shards,
    shards_fingerprint,
)
from training.mixed_loader import MixedLoader, split_by_source
from training.objectives import IGNORED, Causal


def stream_of(shards: ShardSet) -> list[int]:
    return [int(token) for shard in shards.shards for token in shard.tokens]


def epoch_of(loader: Loader) -> dict[int, list[int]]:
    """Return the tokens of every row, by its number."""
    rows: dict[int, list[int]] = {}
    for step in range(-(-loader.plan.num_rows // loader.batch_rows)):
        drawn = loader(step)
        rows |= dict(zip(drawn.row_ids_B.tolist(), drawn.tokens_BS.tolist(), strict=True))
    return {number: rows[number] for number in range(loader.plan.num_rows)}


def test_concat_cuts_the_stream_with_one_token_shared(random_shards: ShardSet) -> None:
    whole = stream_of(random_shards)
    for context_tokens in (1, 7, 64, len(whole) - 1, len(whole) + 5):
        rows = list(epoch_of(Loader(random_shards, context_tokens, 1, seed=2)).values())
        assert {len(row) for row in rows} == {context_tokens + 1}
        again = [token for row in rows for token in row[1:]]
        padding = len(again) - (len(whole) - 1)
        assert [rows[0][0], *again] == whole + [PADDING] * padding
        assert 0 <= padding < context_tokens or len(whole) <= context_tokens
        assert all(a[-1] == b[0] for a, b in pairwise(rows))


@pytest.mark.parametrize("packing", PACKINGS)
def test_rows_number_their_documents(random_shards: ShardSet, packing: str) -> None:
    documents = [
        shard.tokens[start:end].tolist()
        for shard in random_shards.shards
        for start, end in pairwise(shard.offsets.tolist())
    ]
    drawn = Loader(random_shards, 16, 10, seed=1, packing=packing)(0)
    assert drawn.documents_BS is not None
    parts = 0
    for tokens_S, documents_S in zip(drawn.tokens_BS, drawn.documents_BS, strict=True):
        own, others = documents_S[tokens_S != PADDING], documents_S[tokens_S == PADDING]
        assert (others == own.max() + 1).all()
        assert own.tolist() == sorted(own)
        assert set(own) == {*range(1, own.max() + 1)}
        for number in range(1, own.max() + 1):
            part = tokens_S[documents_S == number].tolist()
            assert any(part == d[i : i + len(part)] for d in documents for i in range(len(d)))
            parts += 1
    assert parts >= 10


@pytest.mark.parametrize("packing", PACKINGS)
def test_each_row_comes_once_an_epoch(random_shards: ShardSet, packing: str) -> None:
    loader = Loader(random_shards, context_tokens=16, batch_rows=11, seed=1, packing=packing)
    num_rows = loader.plan.num_rows
    assert num_rows % 11 != 0  # so that batches straddle epochs
    row_ids = np.concatenate([loader.row_ids(step) for step in range(num_rows)])
    for epoch in range(3):
        one = row_ids[epoch * num_rows : (epoch + 1) * num_rows]
        assert sorted(one.tolist()) == list(range(num_rows))


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
def test_each_token_is_a_target_once_an_epoch(random_shards: ShardSet, packing: str) -> None:
    loader = Loader(random_shards, 16, 1, seed=1, packing=packing)
    targets: Counter[int] = Counter()
    for step in range(loader.plan.num_rows):
        batch = Causal(bos_id=-7).batch(loader(step))  # boundaries come from the rows alone
        targets.update(batch.targets[batch.targets != IGNORED].tolist())
    assert targets == Counter(token for token in stream_of(random_shards) if token != 1)
    assert sum(targets.values()) > 1000


def test_what_one_per_row_cuts_is_counted(random_shards: ShardSet) -> None:
    facts = Loader(random_shards, 16, 4, seed=0, packing="one_per_row").facts()
    lengths = np.concatenate([np.diff(shard.offsets) for shard in random_shards.shards])
    assert facts["rows_per_epoch"] == len(lengths)
    assert facts["cut_documents"] == (lengths > 17).sum() > 0
    assert facts["cut_tokens"] == np.maximum(lengths - 17, 0).sum()
    kept = np.minimum(lengths, 17).sum()
    assert facts["padding_ratio"] == pytest.approx(1 - kept / (17 * len(lengths)))
    whole = Loader(random_shards, 16, 4, seed=0, packing="best_fit").facts()
    assert (whole["cut_documents"], whole["cut_tokens"]) == (0, 0)
    assert whole["padding_ratio"] < facts["padding_ratio"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_batches_are_the_same_from_any_point_on(random_shards: ShardSet, packing: str) -> None:
    straight = Loader(random_shards, 16, 4, seed=3, packing=packing)
    batches = [straight(step) for step in range(40)]
    for start in (0, 7, 20, 39):
        fresh = Loader(random_shards, 16, 4, seed=3, packing=packing)
        for step in range(start, 40):
            assert np.array_equal(fresh(step).tokens_BS, batches[step].tokens_BS)
            assert np.array_equal(fresh(step).row_ids_B, batches[step].row_ids_B)
    assert len({batch.tokens_BS.tobytes() for batch in batches}) == 40


def test_global_order_does_not_depend_on_how_many_rows_a_batch_has(
    random_shards: ShardSet,
) -> None:
    orders = [
        np.concatenate(
            [Loader(random_shards, 16, rows, seed=3).row_ids(s) for s in range(24 // rows)]
        )
        for rows in (1, 2, 4, 8)
    ]
    assert len(orders[0]) == 24
    assert all(np.array_equal(orders[0], order) for order in orders[1:])


def test_seeds_and_epochs_have_their_own_order(random_shards: ShardSet) -> None:
    num_rows = Loader(random_shards, 16, 1, seed=0).plan.num_rows
    orders = {
        tuple(Loader(random_shards, 16, num_rows, seed).row_ids(epoch))
        for seed in range(4)
        for epoch in range(4)
    }
    assert len(orders) == 16


def test_too_little_text_for_a_batch_is_said(random_shards: ShardSet) -> None:
    enough = random_shards.num_tokens // 16
    assert len(Loader(random_shards, 16, enough, 0)(0).tokens_BS) == enough
    with pytest.raises(InputError, match="too few for one batch of 500 rows of 16 tokens"):
        Loader(random_shards, 16, 500, 0)


def test_shards_of_another_tokenizer_are_refused(random_shards: ShardSet) -> None:
    check_shards(random_shards, "tokenizer-a")
    check_shards(random_shards, None)
    with pytest.raises(InputError, match="made with tokenizer tokenizer-a, the model with token"):
        check_shards(random_shards, "tokenizer-b")


@pytest.mark.parametrize("packing", PACKINGS)
def test_shards_without_documents_change_nothing(
    make_shards: Callable[..., ShardSet], packing: str
) -> None:
    documents = [[3, 4, 5, 6], [7, 8], [9, 10, 11]]
    full = make_shards([documents[:2], documents[2:]], folder="full")
    gaps = make_shards([[], documents[:2], [], [], documents[2:], []], folder="gaps")
    one, other = (Loader(shards, 5, 2, 0, packing) for shards in (full, gaps))
    assert one.plan.num_rows == other.plan.num_rows >= 2
    for step in range(3):
        assert np.array_equal(one(step).tokens_BS, other(step).tokens_BS)


def masked_shards(folder: Path, documents: list[list[int]], mask: list[int]) -> ShardSet:
    vocabulary = Vocabulary(50, 1, 2, None, "tokenizer-a")
    arrays = [np.array(document) for document in documents]
    sizes = [1] * len(documents)
    entry = write_shard(folder, "train", arrays, sizes, "<u2", mask=np.array(mask))
    write_index(folder, vocabulary, [entry])
    return open_shards(folder)


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_a_mask_leaves_out_is_read_but_never_a_target(tmp_path: Path, packing: str) -> None:
    documents = [[1, 5, 6, 7, 2], [1, 8, 9, 2], [1, 10, 11, 12, 13, 2]]
    mask = [0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1]
    loader = Loader(masked_shards(tmp_path, documents, mask), 8, 1, 0, packing)
    asked = [token for token, one in zip(chain(*documents), mask, strict=True) if one]
    targets: list[int] = []
    read: list[int] = []
    for step in range(loader.plan.num_rows):
        batch = Causal(1).batch(loader(step))
        targets += batch.targets[batch.targets != IGNORED].tolist()
        read += batch.tokens_BT.flatten().tolist()
    assert sorted(targets) == sorted(asked)
    assert {5, 6, 10, 11, 13} <= set(read)


def test_masked_shards_and_others_are_read_together(
    tmp_path: Path, make_shards: Callable[..., ShardSet]
) -> None:
    masked = masked_shards(tmp_path, [[1, 5, 6, 2]], [0, 0, 1, 0])
    plain = make_shards([[[7, 8]]])
    both = ShardSet(plain.vocabulary, masked.shards + plain.shards)
    loader = Loader(both, 7, 1, 0, "concat")
    assert Causal(1).batch(loader(0)).targets.tolist() == [[IGNORED, 6, IGNORED, IGNORED, 7, 8, 2]]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_row_that_asks_for_nothing_is_refused_before_training(
    tmp_path: Path, packing: str
) -> None:
    shards = masked_shards(tmp_path, [[1, 5, 2], [1, *range(3, 20), 2]], [0, 1, 1, *[0] * 18, 1])
    with pytest.raises(InputError, match=r"row with token 3 .* asks for nothing: 4 tokens"):
        Loader(shards, 4, 1, 0, "one_per_row")
    if packing != "one_per_row":
        with pytest.raises(InputError, match=r"asks for nothing: 4 tokens .* max_tokens at most 5"):
            Loader(shards, 4, 1, 0, packing)
    Loader(shards, 20, 1, 0, packing)


class Planted:
    """Shards whose ids do not fit their vocabulary, as no writer of ours would leave them."""

    bos_id, vocab_size, tokenizer_digest, num_bytes = 1, 50, "tokenizer-a", 100

    def __init__(self, bad: int, place: int):
        self.tokens = np.full(100, 3, np.int32)
        self.tokens[place] = bad
        self.offsets, self.num_bytes_of = np.array([0, 100]), np.array([100])
        self.num_tokens, self.mask = 100, None
        self.shards = [self]


@pytest.mark.parametrize("bad", [50, 65_535, -1])
@pytest.mark.parametrize("place", [0, 57, 99])
def test_ids_outside_the_vocabulary_are_refused(bad: int, place: int) -> None:
    shards = Planted(bad, place)
    with pytest.raises(InputError, match=f"hold the id {bad}, outside the vocabulary of 50"):
        check_shards(shards, None)
    with pytest.raises(InputError, match=f"hold the id {bad}"):
        Loader(shards, context_tokens=99, batch_rows=1, seed=0)(0)


def test_ids_at_both_ends_of_the_vocabulary_are_accepted() -> None:
    check_ids(np.array([0, 49], np.uint16), 50)
    check_ids(np.array([], np.uint16), 50)


def test_the_fingerprint_follows_what_is_trained_on(make_shards: Callable[..., ShardSet]) -> None:
    documents = [[3, 4, 5], [6, 7], [8]]
    prints = [
        shards_fingerprint(make_shards(parts, folder=f"f{number}", tokenizer=tokenizer))
        for number, (parts, tokenizer) in enumerate(
            [
                ([documents], "a"),
                ([documents], "a"),
                ([documents], "b"),
                ([documents[::-1]], "a"),
                ([documents[:2], documents[2:]], "a"),
                ([documents[:2]], "a"),
                ([[[3, 4, 9], [6, 7], [8]]], "a"),
            ]
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 6


@pytest.mark.parametrize("packing", ["concat", "best_fit", "one_per_row"])
def test_tokens_read_are_those_of_the_rows_without_what_fills_them_up(
    random_shards: ShardSet, packing: str
) -> None:
    weights, sources = {"a": 1.0, "b": 3.0}, ["a"] * 20 + ["b"] * 40
    split = split_by_source(random_shards, sources)
    positions = [0, 3, 1, *range(20, 40)]
    for loader in (
        Loader(random_shards, 24, 4, 0, packing),
        MixedLoader(split, weights, 24, 4, 0, packing),
    ):
        counts = [int((loader(n).tokens_BS[:, :-1] != PADDING).sum()) for n in positions]
        assert loader.tokens_read(positions).tolist() == np.cumsum([0, *counts]).tolist()
        assert sum(counts) < len(positions) * 4 * 24  # some row is filled up


def test_the_fingerprint_follows_each_token_offset_and_mask(
    make_shards: Callable[..., ShardSet],
) -> None:
    shards = make_shards([[[3, 4] * 3000] * 4])
    (shard,) = shards.shards
    assert shard.mask is None

    def fingerprint(**changes: np.ndarray) -> str:
        return shards_fingerprint(replace(shards, shards=(replace(shard, **changes),)))

    def changed(name: str, place: int) -> str:
        array = np.array(getattr(shard, name))
        array[place] += 1
        return fingerprint(**{name: array})

    usual = shards_fingerprint(shards)
    assert fingerprint() == fingerprint(tokens=np.array(shard.tokens)) == usual
    places = {"tokens": len(shard.tokens), "offsets": len(shard.offsets) - 1, "num_bytes": 4}
    assert places["tokens"] > 8192
    prints = [changed(name, n // 2) for name, n in places.items()]
    half_asked = np.arange(len(shard.tokens), dtype=np.uint8) % 2
    prints += [fingerprint(mask=half_asked), fingerprint(mask=1 - half_asked)]
    assert len({usual, *prints}) == 6
