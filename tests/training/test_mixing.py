"""Mixing: exact shares in every block, each row once an epoch, nothing but a function of places."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import InputError, UsageError
from data_contracts.shards import ShardSet
from training.mixed_loader import MixedLoader, split_by_source
from training.mixing import BLOCK, Mixture, block_shares

SIZES = {"web": 700, "wiki": 100, "books": 40}
WEIGHTS = {"books": 1.0, "web": 2.0, "wiki": 1.0}


def source_of(row_ids: np.ndarray) -> np.ndarray:
    return np.searchsorted([700, 800, 840], row_ids, side="right")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=30))
def test_shares_fill_a_block_and_are_nearest(weights: list[float]) -> None:
    shares = block_shares(weights)
    assert sum(shares) == BLOCK
    exact = np.array(weights) / sum(weights) * BLOCK
    assert np.abs(np.array(shares) - exact).max() < 1


def test_every_block_holds_exactly_the_shares() -> None:
    mixture = Mixture(SIZES, WEIGHTS, seed=3)
    row_ids, epochs = mixture.rows(np.arange(5 * BLOCK))
    orders = []
    for block in row_ids.reshape(5, BLOCK):
        assert Counter(source_of(block).tolist()) == {0: 512, 1: 256, 2: 256}
        orders.append(tuple(source_of(block)))
    assert len(set(orders)) == 5
    longest = max(len(run) for run in "".join(map(str, orders[0])).split("1"))
    assert longest < 40  # sources are spread, not one after the other
    assert epochs.max() == (5 * 256 - 1) // 40


def test_a_source_gives_all_its_rows_before_any_comes_again() -> None:
    mixture = Mixture(SIZES, WEIGHTS, seed=3)
    row_ids, epochs = mixture.rows(np.arange(4 * BLOCK))
    touched = 0
    for source, (first, size) in enumerate([(0, 700), (700, 100), (800, 40)]):
        mine = source_of(row_ids) == source
        for epoch in np.unique(epochs[mine])[:-1]:
            drawn = row_ids[mine & (epochs == epoch)]
            assert sorted(drawn.tolist()) == list(range(first, first + size))
            touched += 1
        drawn = row_ids[mine]
        whole = len(drawn) // size * size
        assert all(
            len(set(drawn[start : start + size].tolist())) == size
            for start in range(0, whole, size)
        )
    assert touched > 20


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(0, 2**40))
def test_a_place_has_its_row_whatever_else_is_asked(places: list[int], seed: int) -> None:
    mixture = Mixture(SIZES, WEIGHTS, seed)
    together = mixture.rows(np.array(places, np.int64))
    again = Mixture(SIZES, WEIGHTS, seed)
    for number, place in reversed(list(enumerate(places))):
        row_id, epoch = again.rows(np.array([place], np.int64))
        assert (row_id[0], epoch[0]) == (together[0][number], together[1][number])
    assert len(together[0]) == len(places)


def test_the_seed_decides() -> None:
    places = np.arange(500)
    first, other = (Mixture(SIZES, WEIGHTS, seed).rows(places)[0] for seed in (1, 2))
    assert (first != other).mean() > 0.8


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({**WEIGHTS, "news": 1.0}, "source_weights names news, but there is no such source"),
        ({"web": 1.0, "wiki": 1.0}, "says nothing of books; give it a weight"),
        ({**WEIGHTS, "wiki": 0.0}, r"source_weights.wiki is 0.0; give a number above 0"),
        ({**WEIGHTS, "wiki": float("nan")}, "give a number above 0"),
        ({**WEIGHTS, "wiki": 1e-9}, "less than 1 in 1024 of all"),
    ],
)
def test_impossible_weights_are_refused(weights: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Mixture(SIZES, weights, 0)


def test_sources_are_split_without_a_copy(random_shards: ShardSet) -> None:
    sources = (["b"] * 7 + ["a"] * 3) * 6
    split = split_by_source(random_shards, sources)
    assert list(split) == ["a", "b"]
    assert sum(part.num_tokens for part in split.values()) == random_shards.num_tokens
    documents = [
        (sources[30 * number + i], shard.tokens[shard.offsets[i] : shard.offsets[i + 1]].tolist())
        for number, shard in enumerate(random_shards.shards)
        for i in range(30)
    ]
    for name, part in split.items():
        mine = [
            shard.tokens[shard.offsets[i] : shard.offsets[i + 1]].tolist()
            for shard in part.shards
            for i in range(len(shard.num_bytes))
        ]
        assert mine == [tokens for source, tokens in documents if source == name]
        assert all(
            np.shares_memory(s.tokens, random_shards.shards[0].tokens)
            or np.shares_memory(s.tokens, random_shards.shards[1].tokens)
            for s in part.shards
        )
    with pytest.raises(InputError, match="60 documents to learn from and 59 names"):
        split_by_source(random_shards, sources[:-1])


@pytest.mark.parametrize("packing", ["concat", "best_fit", "one_per_row"])
def test_batches_hold_rows_of_the_sources(random_shards: ShardSet, packing: str) -> None:
    split = split_by_source(random_shards, ["a"] * 20 + ["b"] * 40)
    weights = {"a": 1.0, "b": 3.0}
    loader = MixedLoader(split, weights, 16, 8, 5, packing)
    sizes = [part.plan.num_rows for part in loader.loaders]
    counts = Counter()
    for step in range(BLOCK // 8):
        rows = loader(step)
        assert rows.tokens_BS.shape == (8, 17)
        counts.update((rows.row_ids_B >= sizes[0]).tolist())
        for tokens_S, row_id in zip(rows.tokens_BS, rows.row_ids_B, strict=True):
            part = loader.loaders[int(row_id >= sizes[0])]
            own = np.array([row_id - (sizes[0] if row_id >= sizes[0] else 0)])
            assert (part.stream.rows(part.plan, own, 16).tokens_BS[0] == tokens_S).all()
    assert counts == {False: 256, True: 768}
    assert loader.facts()["rows_per_epoch"] == sum(sizes)
