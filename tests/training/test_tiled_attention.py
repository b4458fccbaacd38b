"""Tiles against masks: the same tokens are seen, with the same numbers and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from data_contracts.shards import ShardSet
from training.loader import PADDING, Loader
from training.masked import Masked
from training.masking import Masker, Pieces
from training.model import new_model
from training.model_config import SHAPES, ModelConfig
from training.objectives import IGNORED, Causal, Objective
from training.tiled_attention import Tile, TiledAttention, document_tiles, near_tiles

LENGTHS = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=6), min_size=1, max_size=4)


def documents_of(lengths: list[list[int]], falling: bool = False) -> Tensor:
    """Return the numbers [B, T] of documents of these lengths; the last of a row fills it up."""
    num_tokens = max(sum(row) for row in lengths)
    rows = [[n for n, length in enumerate(row) for _ in range(length)] for row in lengths]
    documents_BT = torch.tensor([row + [row[-1]] * (num_tokens - len(row)) for row in rows])
    return -documents_BT if falling else documents_BT


def seen(documents_BT: Tensor, causal: bool, window_tokens: int | None) -> Tensor:
    """Return which token sees which, [B, T, T], by the definition."""
    num_rows, num_tokens = documents_BT.shape
    seen_BTT = torch.zeros(num_rows, num_tokens, num_tokens, dtype=torch.bool)
    for row, numbers in enumerate(documents_BT.tolist()):
        for i in range(num_tokens):
            for j in range(i + 1 if causal else num_tokens):
                near = window_tokens is None or abs(i - j) <= window_tokens // 2
                seen_BTT[row, i, j] = near and numbers[i] == numbers[j]
    return seen_BTT


def tiled(documents_BT: Tensor, window_tokens: int | None) -> tuple[Tile, ...]:
    tiles = document_tiles(documents_BT)
    assert tiles is not None
    return tiles if window_tokens is None else near_tiles(tiles, window_tokens)


KINDS = st.sampled_from([(True, None), (False, None), (False, 2), (False, 7), (False, 64)])


def test_tiles_say_what_tokens_see() -> None:
    touched = 0

    @given(LENGTHS, KINDS, st.booleans())
    @settings(max_examples=60, deadline=None)
    def check(lengths: list[list[int]], kind: tuple[bool, int | None], falling: bool) -> None:
        nonlocal touched
        causal, window_tokens = kind
        documents_BT = documents_of(lengths, falling)
        num_tokens = documents_BT.shape[1]
        count_BTT = torch.zeros(len(lengths), num_tokens, num_tokens, dtype=torch.int64)
        for tile in tiled(documents_BT, window_tokens):
            of_tile = count_BTT[tile.rows, tile.queries, tile.keys]
            of_tile += torch.ones_like(of_tile) if tile.mask_QS is None else tile.mask_QS == 0
            touched += tile.mask_QS is not None
        if causal:
            count_BTT = count_BTT.tril()
        assert torch.equal(count_BTT, seen(documents_BT, causal, window_tokens).long())

    check()
    assert touched > 20


def test_documents_in_pieces_have_no_tiles() -> None:
    assert document_tiles(torch.tensor([[0, 0, 1, 1, 0]])) is None


def test_rows_cut_alike_share_tiles() -> None:
    documents_BT = documents_of([[3, 4], [3, 4], [7], [2, 5], [2, 5]])
    tiles = tiled(documents_BT, None)
    assert [(tile.rows, tile.queries.start) for tile in tiles] == [
        (slice(0, 2), 0),
        (slice(0, 2), 3),
        (slice(2, 3), 0),
        (slice(3, 5), 0),
        (slice(3, 5), 2),
    ]


def test_numbers_and_gradients_are_those_of_a_mask() -> None:
    @given(LENGTHS, KINDS, st.sampled_from([1, 2, 4]), st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def check(
        lengths: list[list[int]], kind: tuple[bool, int | None], kv_heads: int, seed: int
    ) -> None:
        causal, window_tokens = kind
        documents_BT = documents_of(lengths)
        shape = (len(lengths), documents_BT.shape[1])
        generator = torch.Generator().manual_seed(seed)
        pull, *inputs = (
            torch.randn(*shape, heads, 8, generator=generator).transpose(1, 2)
            for heads in (4, 4, kv_heads, kv_heads)
        )
        inputs = [x.requires_grad_() for x in inputs]
        ours = TiledAttention.apply(*inputs, tiled(documents_BT, window_tokens), causal)
        mask_B1TT = seen(documents_BT, causal, window_tokens)[:, None]
        theirs = F.scaled_dot_product_attention(*inputs, attn_mask=mask_B1TT, enable_gqa=True)
        torch.testing.assert_close(ours, theirs)
        for found, expected in zip(
            *(torch.autograd.grad(x, inputs, pull) for x in (ours, theirs)), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    check()


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_rows_that_are_filled_up_are_cut_into_tiles(
    random_shards: ShardSet, objective: str
) -> None:
    loader = Loader(random_shards, 64, 4, 0, "best_fit")
    learnt: Objective = Causal(random_shards.bos_id)
    if objective == "masked":
        learnt = Masked(Masker(50, Pieces(3, (0, 1, 2)), 0.15, 0), random_shards.bos_id)
    several = 0
    for step in range(12):
        batch = learnt.batch(loader(step))
        filled_BT = torch.from_numpy(loader(step).tokens_BS[:, :-1] == PADDING)
        assert (batch.targets[filled_BT] == IGNORED).all()
        assert document_tiles(batch.documents_BT) is not None
        several += int((filled_BT.any(dim=1) & (batch.documents_BT > 2).any(dim=1)).sum())
    assert several > 10


@pytest.mark.parametrize("shape", SHAPES)
def test_what_fills_a_row_up_changes_no_bit_of_its_documents(shape: str) -> None:
    config = ModelConfig(50, 2, 64, 2, 2, 128, 64, shape=shape, window_tokens=16)
    model = new_model(config, 0).eval()
    tokens_BT = torch.randint(3, 50, (2, 64), generator=torch.Generator().manual_seed(0))
    documents_BT = torch.tensor([[1] * 20 + [2] * 30 + [3] * 14, [1] * 5 + [2] * 40 + [3] * 19])
    filled_BT = documents_BT == 3
    own_BT = ~filled_BT
    with torch.no_grad():
        found_BTV = model(tokens_BT, documents_BT)
        empty_BTV = model(tokens_BT.masked_fill(filled_BT, 0), documents_BT)
        model.compiled = True  # masks, as on a GPU, where any number apart does
        apart = (documents_BT, documents_BT.masked_fill(filled_BT, 0))
        masked = [model(tokens_BT, numbers_BT)[own_BT] for numbers_BT in apart]
    assert torch.equal(empty_BTV[own_BT], found_BTV[own_BT])
    assert torch.equal(*masked)
    torch.testing.assert_close(found_BTV[own_BT], masked[0])
