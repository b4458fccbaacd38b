"""A decoder that reads on: what it has read is kept as keys and values, not computed again.

Stands between the model and sampling. The numbers are those of `Transformer.hidden` on one
document, but for the rounding of sums that are added in another order.

Shapes: T new tokens, P tokens read before, W width, H query heads, K key/value heads, D size of a
head, L layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from data_contracts.errors import UsageError
from training.attention import Attention
from training.model import Block, Transformer


class Reader:
    """Reads one document in pieces and keeps what attention needs of it.

    ``num_tokens`` is how many tokens it has read, at most the model's context. Raises UsageError
    for an encoder.
    """

    def __init__(self, model: Transformer):
        config = model.config
        if not config.causal:
            raise UsageError(f"a {config.shape} sees both sides and cannot read on; use a decoder")
        weight = model.embedding.weight
        sizes = (config.num_kv_heads, config.context_tokens, config.head_size)
        self.model = model
        self.num_tokens = 0
        self._kept_L2KTD = weight.new_empty(config.num_layers, 2, *sizes)

    @torch.no_grad()
    def read(self, ids: Sequence[int]) -> Tensor:
        """Read some more ids and return the logits [V] of the one that follows.

        The first call reads the beginning, of any length; each later one reads one id. Raises
        ValueError for more than the context holds, and for several ids at once later on.
        """
        first, last = self.num_tokens, self.num_tokens + len(ids)
        if not ids or last > self.model.config.context_tokens or (first and len(ids) > 1):
            raise ValueError(f"{len(ids)} ids cannot be read after {first}")
        ids_1T = torch.tensor([list(ids)], device=self._kept_L2KTD.device)
        x_1TW = self.model.embed(ids_1T, first)
        table_2TD = self.model.rotation_2TD
        rotation_2TD = None if table_2TD is None else table_2TD[:, first:last]
        for number, kept_2KTD in enumerate(self._kept_L2KTD):
            block = self.model.blocks[number]
            assert isinstance(block, Block)
            normed_1TW = block.attention_norm(x_1TW)
            x_1TW = x_1TW + attend(block.attention, normed_1TW, rotation_2TD, kept_2KTD, first)
            x_1TW = x_1TW + block.feed_forward(block.feed_forward_norm(x_1TW))
        self.num_tokens = last
        return self.model.head(self.model.norm(x_1TW[0, -1]))


def attend(
    attention: Attention,
    x_1TW: Tensor,
    rotation_2TD: Tensor | None,
    kept_2KTD: Tensor,
    first: int,
) -> Tensor:
    """Return what new tokens gather [1, T, W] from all up to themselves; keep their keys, values.

    ``kept_2KTD`` holds ``first`` tokens before the call; either that is 0, or T is 1.
    """
    last = first + x_1TW.shape[1]
    query_1HTD, key_1KTD, value_1KTD = attention.heads(x_1TW, rotation_2TD)
    kept_2KTD[0, :, first:last] = key_1KTD[0]
    kept_2KTD[1, :, first:last] = value_1KTD[0]
    gathered_1HTD = F.scaled_dot_product_attention(
        query_1HTD,
        kept_2KTD[None, 0, :, :last],
        kept_2KTD[None, 1, :, :last],
        is_causal=first == 0,
        enable_gqa=True,
    )
    return attention.output(gathered_1HTD.transpose(1, 2).flatten(2))
