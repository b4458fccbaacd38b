"""Batches: a function of shards, seed and step; each token once an epoch; wrong shards refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from data_contracts.errors import InputError
from data_contracts.shards import ShardSet
from training.loader import (
    PADDING,
    Loader,
    TokenStream,
    check_ids,
    check_shards,
    shards_fingerprint,
)


def stream_of(shards: ShardSet) -> list[int]:
    return [int(token) for shard in shards.shards for token in shard.tokens]


def test_rows_are_the_stream_cut_with_one_token_shared(random_shards: ShardSet) -> None:
    whole = stream_of(random_shards)
    arrays = [shard.tokens for shard in random_shards.shards]
    for context_tokens in (1, 7, 64, len(whole) - 1, len(whole) + 5):
        stream = TokenStream(arrays, 50, context_tokens)
        rows = [stream.row(row).tolist() for row in range(stream.num_rows)]
        assert {len(row) for row in rows} == {context_tokens + 1}
        again = [token for row in rows for token in row[1:]]
        padding = len(again) - (len(whole) - 1)
        assert [rows[0][0], *again] == whole + [PADDING] * padding
        assert 0 <= padding < context_tokens or len(whole) <= context_tokens
        assert all(a[-1] == b[0] for a, b in pairwise(rows))


def test_each_token_is_a_target_once_an_epoch(random_shards: ShardSet) -> None:
    loader = Loader(random_shards, context_tokens=16, batch_rows=5, seed=1)
    num_rows = loader.stream.num_rows
    assert num_rows % 5 != 0  # so that batches straddle epochs
    row_ids = np.concatenate([loader.row_ids(step) for step in range(num_rows)])
    for epoch in range(3):
        one = row_ids[epoch * num_rows : (epoch + 1) * num_rows]
        assert sorted(one.tolist()) == list(range(num_rows))
    targets = Counter(int(token) for row in range(num_rows) for token in loader.stream.row(row)[1:])
    del targets[PADDING]
    assert targets == Counter(stream_of(random_shards)[1:])


def test_batches_are_the_same_from_any_point_on(random_shards: ShardSet) -> None:
    straight = Loader(random_shards, 16, 4, seed=3)
    batches = [straight(step) for step in range(40)]
    for start in (0, 7, 20, 39):
        fresh = Loader(random_shards, 16, 4, seed=3)
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
    num_rows = Loader(random_shards, 16, 1, seed=0).stream.num_rows
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


class Planted:
    """Shards whose ids do not fit their vocabulary, as no writer of ours would leave them."""

    bos_id, vocab_size, tokenizer_digest, num_bytes = 1, 50, "tokenizer-a", 100

    def __init__(self, bad: int, place: int):
        self.tokens = np.full(100, 3, np.int32)
        self.tokens[place] = bad
        self.offsets, self.num_bytes_of = np.array([0, 100]), np.array([100])
        self.num_tokens = 100
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
