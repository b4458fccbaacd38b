"""Attention on a processor, document by document: what no token sees is never computed.

A mask costs more than if every token saw all of its row; a row of 1,024 tokens that holds documents
of 300 costs a third of that here. The products and the softmax are torch's own kernels;
what stands here cuts rows into tiles and puts the pieces together, without a copy of the row for
each piece as autograd would make.

Shapes: B rows, T tokens of a row, H query heads, K key/value heads, G = H/K, D size of a head;
a tile has Q queries and S keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_FORWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Tile(NamedTuple):
    """Some rows' queries that stand next to each other, and the keys that they see.

    ``mask_QS`` is added to their scores (0 or -inf); None: they see all of these keys, or in causal
    attention, where both are the same tokens, those up to themselves.
    """

    rows: slice
    queries: slice
    keys: slice
    mask_QS: Tensor | None = None


def document_tiles(documents_BT: Tensor) -> tuple[Tile, ...] | None:
    """Return one tile a document, of several rows where these are cut alike.

    None where the numbers of documents go up and down in rows: then a document may be in pieces.
    """
    changes = documents_BT.diff(dim=1)
    if bool((changes > 0).any()) and bool((changes < 0).any()):
        return None
    return tuple(_tiles(changes != 0))


def _tiles(ends_BT: Tensor) -> Iterator[Tile]:
    num_rows, last = len(ends_BT), ends_BT.shape[1] + 1
    cuts: list[list[int]] = [[] for _ in range(num_rows)]
    for row, place in ends_BT.nonzero().tolist():
        cuts[row].append(place + 1)
    for bounds, rows in groupby(range(num_rows), key=cuts.__getitem__):
        numbers = list(rows)
        for start, stop in pairwise([0, *bounds, last]):
            places = slice(start, stop)
            yield Tile(slice(numbers[0], numbers[-1] + 1), places, places)


def near_tiles(tiles: Sequence[Tile], window_tokens: int) -> tuple[Tile, ...]:
    """Return tiles cut finer: each token sees half a window to either side, within its tile."""
    return tuple(near for tile in tiles for near in _near(tile, window_tokens))


def _near(tile: Tile, window_tokens: int) -> Iterator[Tile]:
    half, (start, stop) = window_tokens // 2, (tile.queries.start, tile.queries.stop)
    for first in range(start, stop, window_tokens):
        last = min(first + window_tokens, stop)
        keys = slice(max(start, first - half), min(stop, last + half))
        mask_QS = near_mask(last - first, keys.stop - keys.start, first - keys.start, half)
        yield Tile(tile.rows, slice(first, last), keys, mask_QS)


@lru_cache(maxsize=256)
def near_mask(num_queries: int, num_keys: int, ahead: int, half: int) -> Tensor:
    """Return 0 where a key stands within ``half`` of a query, else -inf, [Q, S].

    The first query stands ``ahead`` places after the first key.
    """
    queries_Q1 = torch.arange(ahead, ahead + num_queries)[:, None]
    far_QS = (queries_Q1 - torch.arange(num_keys)).abs() > half
    return torch.zeros(far_QS.shape).masked_fill_(far_QS, -torch.inf)


class TiledAttention(torch.autograd.Function):
    """softmax(q k' / √D) v within each tile; together the tiles hold each query once."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BHTD: Tensor,
        key_BKTD: Tensor,
        value_BKTD: Tensor,
        tiles: Sequence[Tile],
        causal: bool,
    ) -> Tensor:
        """Keep what torch's kernel keeps: the inputs, the output, a number for each query."""
        num_rows, heads, num_tokens, size = query_BHTD.shape
        out_BHTD = query_BHTD.new_empty(num_rows, num_tokens, heads, size).transpose(1, 2)
        sums = []
        for tile in tiles:
            inputs = inputs_of(tile, query_BHTD, key_BKTD, value_BKTD)
            of_queries = (tile.rows, slice(None), tile.queries)
            mask = mask_of(tile, query_BHTD)
            out_BHTD[of_queries], sums_BHQ = _FORWARD(*inputs, 0.0, causal, attn_mask=mask)
            sums.append(sums_BHQ)
        ctx.save_for_backward(query_BHTD, key_BKTD, value_BKTD, out_BHTD, *sums)
        ctx.tiles, ctx.causal = tiles, causal
        return out_BHTD

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BHTD: Tensor) -> tuple[Tensor | None, ...]:
        """Add what each tile makes; the queries of a group share their key's gradient."""
        query_BHTD, key_BKTD, value_BKTD, out_BHTD, *sums = ctx.saved_tensors
        grads = tuple(torch.zeros_like(x) for x in (query_BHTD, key_BKTD, value_BKTD))
        kv_heads = key_BKTD.shape[1]
        for tile, sums_BHQ in zip(ctx.tiles, sums, strict=True):
            of_queries, of_keys = ((tile.rows, slice(None), x) for x in (tile.queries, tile.keys))
            of_tile = _BACKWARD(
                grad_BHTD[of_queries],
                *inputs_of(tile, query_BHTD, key_BKTD, value_BKTD),
                out_BHTD[of_queries],
                sums_BHQ,
                0.0,
                ctx.causal,
                attn_mask=mask_of(tile, query_BHTD),
            )
            grads[0][of_queries] = of_tile[0]
            for grad_BKTD, grad_BHSD in zip(grads[1:], of_tile[1:], strict=True):
                grad_BKTD[of_keys] += grad_BHSD.unflatten(1, (kv_heads, -1)).sum(2)
        return *grads, None, None


def inputs_of(
    tile: Tile, query_BHTD: Tensor, key_BKTD: Tensor, value_BKTD: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a tile's queries, keys and values, each key head once for every query of its group."""
    of_keys = (tile.rows, slice(None), tile.keys)
    group = query_BHTD.shape[1] // key_BKTD.shape[1]
    key_BHSD, value_BHSD = key_BKTD[of_keys], value_BKTD[of_keys]
    if group > 1:
        key_BHSD, value_BHSD = (x.repeat_interleave(group, dim=1) for x in (key_BHSD, value_BHSD))
    return query_BHTD[tile.rows, :, tile.queries], key_BHSD, value_BHSD


def mask_of(tile: Tile, like: Tensor) -> Tensor | None:
    """Return a tile's mask [1, 1, Q, S] in the numbers of a tensor."""
    return None if tile.mask_QS is None else tile.mask_QS.to(like.dtype)[None, None]
