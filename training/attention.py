"""Attention: what each token gathers from the tokens that it may see.

A layer of the model. Shapes: B rows, T tokens of a row, W width, H query heads, K key/value heads,
D size of a head.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.model_config import ModelConfig
from training.positions import rotate
from training.tiled_attention import Tile, TiledAttention, document_tiles, near_tiles


class Sight(NamedTuple):
    """What the tokens of some rows see in a layer, and by what their positions turn them.

    Without mask and tiles that is all up to themselves if ``causal``, else all of the row. A mask
    says it all; tiles say the same to a processor. ``rotation_2TD`` None: positions are told
    elsewhere.
    """

    causal: bool
    mask_B1TT: Tensor | None = None
    rotation_2TD: Tensor | None = None
    tiles: tuple[Tile, ...] | None = None


class Attention(nn.Module):
    """Attention of H query heads; H/K of them share a key/value head (Ainslie et al. 2023).

    Queries, keys and values come from one matrix, rows in this order.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        heads, kv_heads, size = config.num_heads, config.num_kv_heads, config.head_size
        self.head_size = size
        self.heads_per_group = heads // kv_heads
        self.dropout_ratio = config.dropout_ratio
        self.split = (heads * size, kv_heads * size, kv_heads * size)
        self.query_key_value = nn.Linear(config.width, sum(self.split), bias=config.biases)
        self.output = nn.Linear(config.width, config.width, bias=config.biases)

    def forward(self, x_BTW: Tensor, sight: Sight) -> Tensor:
        """Return what each token gathers from those it may see, [B, T, W]."""
        query_BHTD, key_BKTD, value_BKTD = self.heads(x_BTW, sight.rotation_2TD)
        if sight.tiles is not None:
            gathered_BHTD = TiledAttention.apply(
                query_BHTD, key_BKTD, value_BKTD, sight.tiles, sight.causal
            )
            return self.output(gathered_BHTD.transpose(1, 2).flatten(2))
        if sight.mask_B1TT is not None and x_BTW.is_cuda:  # no kernel has both mask and groups
            key_BKTD, value_BKTD = (
                tensor_BKTD.repeat_interleave(self.heads_per_group, dim=1)
                for tensor_BKTD in (key_BKTD, value_BKTD)
            )
        gathered_BHTD = F.scaled_dot_product_attention(
            query_BHTD,
            key_BKTD,
            value_BKTD,
            attn_mask=sight.mask_B1TT,
            dropout_p=self.dropout_ratio if self.training else 0.0,
            is_causal=sight.causal and sight.mask_B1TT is None,
            enable_gqa=self.heads_per_group > 1,
        )
        return self.output(gathered_BHTD.transpose(1, 2).flatten(2))

    def heads(self, x_BTW: Tensor, rotation_2TD: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries [B, H, T, D], keys and values [B, K, T, D], turned by their positions."""
        parts = self.query_key_value(x_BTW).split(self.split, dim=-1)
        query_BHTD, key_BKTD, value_BKTD = (
            part.unflatten(-1, (-1, self.head_size)).transpose(1, 2) for part in parts
        )
        if rotation_2TD is not None:
            key_BKTD, query_BHTD = (rotate(x, rotation_2TD) for x in (key_BKTD, query_BHTD))
        return query_BHTD, key_BKTD, value_BKTD


class Sights(NamedTuple):
    """What layers see that see whole documents, and what those that see a window (None: none)."""

    whole: Sight
    near: Sight | None = None


def sights_of(
    documents_BT: Tensor, causal: bool, window_tokens: int | None, tiling: bool
) -> Sights:
    """Return what tokens see of their documents: as tiles if asked and possible, else as masks.

    ``window_tokens`` None: no layer sees only a window.
    """
    tiles = document_tiles(documents_BT) if tiling else None
    if tiles is None:
        return masked_sights(documents_BT, causal, window_tokens)
    whole = Sight(causal) if len(tiles) == 1 else Sight(causal, tiles=tiles)
    if window_tokens is None:
        return Sights(whole)
    return Sights(whole, Sight(causal, tiles=near_tiles(tiles, window_tokens)))


def masked_sights(documents_BT: Tensor, causal: bool, window_tokens: int | None) -> Sights:
    """Return what tokens see as masks."""
    same_B1TT = (documents_BT[:, :, None] == documents_BT[:, None, :])[:, None]
    if causal:
        same_B1TT = same_B1TT.tril()
    if window_tokens is None:
        return Sights(Sight(causal, same_B1TT))
    places_T = torch.arange(documents_BT.shape[1], device=documents_BT.device)
    near_TT = (places_T[:, None] - places_T).abs() <= window_tokens // 2
    return Sights(Sight(causal, same_B1TT), Sight(causal, same_B1TT & near_TT))
