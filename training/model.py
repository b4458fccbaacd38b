"""The decoder: a Llama-style Transformer that turns tokens into logits for the token after each.

Stands between the loader's batches and the objectives. Weights are held in float32; what runs in
bfloat16 is decided outside, by autocast.

Shapes: B rows, T tokens of a row, V vocabulary, W width, H query heads, K key/value heads,
D size of a head, F feed-forward width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_contracts.errors import UsageError
from training.norm import Norm

HEAD_SIZE = 64
INIT_STD = 0.02
INIT_LOGIT_STD = 0.2


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a decoder; everything that its weights' shapes and its function depend on.

    ``context_tokens`` bounds T. ``num_kv_heads`` divides ``num_heads``, which divides ``width``.
    Raises UsageError where no such model exists.
    """

    vocab_size: int
    num_layers: int
    width: int
    num_heads: int
    num_kv_heads: int
    feed_forward_width: int
    context_tokens: int
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise UsageError(f"model.{name} is {value}; give a number above 0")
        if self.width % (2 * self.num_heads):
            raise UsageError(
                f"model.width is {self.width}; give an even multiple of its {self.num_heads} heads"
            )
        if self.num_heads % self.num_kv_heads:
            raise UsageError(
                f"model.num_kv_heads is {self.num_kv_heads}; give a divisor of {self.num_heads}"
            )

    @property
    def head_size(self) -> int:
        """D, the size of one head."""
        return self.width // self.num_heads


def preset(depth: int, vocab_size: int, context_tokens: int) -> ModelConfig:
    """Return the model of a depth: ``depth`` layers, heads of 64, width 64 a layer.

    2 gives about 1M parameters (V = 4,096), 12 about 100M, 52 about 7B. Two query heads share a
    key/value head where their number is even. The feed-forward width is 8/3 of the width, rounded
    up to 64, which gives its three matrices the size of the usual two of 4 widths (Shazeer 2020).
    """
    if depth < 1:
        raise UsageError(f"depth is {depth}; give 1 or more")
    return ModelConfig(
        vocab_size=vocab_size,
        num_layers=depth,
        width=HEAD_SIZE * depth,
        num_heads=depth,
        num_kv_heads=depth // 2 if depth % 2 == 0 else depth,
        feed_forward_width=-(-8 * depth // 3) * HEAD_SIZE,
        context_tokens=context_tokens,
    )


class Decoder(nn.Module):
    """Embedding, ``num_layers`` blocks, a last norm, and the embedding again as the head."""

    rotation_2TD: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.compiled = False
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = Norm(config.width, config.norm_epsilon)
        self.register_buffer("rotation_2TD", rotation_table(config), persistent=False)

    def forward(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the logits [B, T, V] of the token that follows each token.

        ``documents_BT`` numbers the document of each token: a token attends only to its own
        document, so what stands in another changes no bit of its logits. None: one document a row.
        """
        return self.head(self.hidden(tokens_BT, documents_BT))

    def hidden(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the last, normalised hidden state of each token, [B, T, W]."""
        x_BTW = self.embedding(tokens_BT)
        rotation_2TD = self.rotation_2TD[:, : tokens_BT.shape[1]]
        mask_B1TT = None if documents_BT is None else same_document(documents_BT)
        for block in self.blocks:
            x_BTW = block(x_BTW, rotation_2TD, mask_B1TT)
        return self.norm(x_BTW)

    def head(self, hidden_BTW: Tensor) -> Tensor:
        """Return the logits [..., V] of hidden states [..., W]."""
        return F.linear(hidden_BTW, self.embedding.weight)

    def compile_parts(self) -> None:
        """Have torch compile the blocks, and objectives the loss; the weights' names stay.

        All blocks share what is compiled for the first. Compiled numbers are rounded otherwise.
        """
        self.compiled = True
        for block in self.blocks:
            block.compile()

    @property
    def num_parameters(self) -> int:
        """All parameters; the embedding, which is also the head, counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


class Block(nn.Module):
    """Attention, then feed-forward, each on the normalised stream and added to it."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.attention_norm = Norm(config.width, config.norm_epsilon)
        self.attention = Attention(config)
        self.feed_forward_norm = Norm(config.width, config.norm_epsilon)
        self.feed_forward = FeedForward(config)

    def forward(self, x_BTW: Tensor, rotation_2TD: Tensor, mask_B1TT: Tensor | None) -> Tensor:
        """Return the stream after this block, [B, T, W]."""
        x_BTW = x_BTW + self.attention(self.attention_norm(x_BTW), rotation_2TD, mask_B1TT)
        return x_BTW + self.feed_forward(self.feed_forward_norm(x_BTW))


class Attention(nn.Module):
    """Causal attention with rotary positions; H/K query heads share a key/value head.

    Ainslie et al. 2023 (grouped queries); Su et al. 2021 (rotation). Queries, keys and values come
    from one matrix, rows in this order.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        heads, kv_heads, size = config.num_heads, config.num_kv_heads, config.head_size
        self.head_size = size
        self.heads_per_group = heads // kv_heads
        self.split = (heads * size, kv_heads * size, kv_heads * size)
        self.query_key_value = nn.Linear(config.width, sum(self.split), bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x_BTW: Tensor, rotation_2TD: Tensor, mask_B1TT: Tensor | None) -> Tensor:
        """Return what each token gathers from those it may see, [B, T, W]."""
        parts = self.query_key_value(x_BTW).split(self.split, dim=-1)
        query_BHTD, key_BKTD, value_BKTD = (
            part.unflatten(-1, (-1, self.head_size)).transpose(1, 2) for part in parts
        )
        key_BKTD = rotate(key_BKTD, rotation_2TD)
        if mask_B1TT is not None and x_BTW.is_cuda:  # no fused kernel has both mask and groups
            key_BKTD, value_BKTD = (
                tensor_BKTD.repeat_interleave(self.heads_per_group, dim=1)
                for tensor_BKTD in (key_BKTD, value_BKTD)
            )
        gathered_BHTD = F.scaled_dot_product_attention(
            rotate(query_BHTD, rotation_2TD),
            key_BKTD,
            value_BKTD,
            attn_mask=mask_B1TT,
            is_causal=mask_B1TT is None,
            enable_gqa=True,
        )
        return self.output(gathered_BHTD.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020): gate and value from one matrix, rows in this order."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_value = nn.Linear(config.width, 2 * config.feed_forward_width, bias=False)
        self.output = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the transformed stream, [B, T, W]."""
        gate_BTF, value_BTF = self.gate_value(x_BTW).chunk(2, dim=-1)
        return self.output(F.silu(gate_BTF) * value_BTF)


def same_document(documents_BT: Tensor) -> Tensor:
    """Return which tokens [B, 1, T, T] each token sees: its document's, up to itself."""
    same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
    return same_BTT.tril()[:, None]


def rotation_table(config: ModelConfig) -> Tensor:
    """Return cosines and sines [2, T, D] of each position's angle, as `rotate` wants them.

    The halves of D are alike, but that the sines of the first are negative.
    """
    half = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
    positions_T = torch.arange(config.context_tokens, dtype=torch.float32)
    angles_TD = torch.outer(positions_T, config.rope_base**-half).repeat(1, 2)
    sines_TD = angles_TD.sin()
    sines_TD[:, : config.head_size // 2].neg_()
    return torch.stack([angles_TD.cos(), sines_TD])


def rotate(x_BHTD: Tensor, rotation_2TD: Tensor) -> Tensor:
    """Turn pairs (i, i + D/2) of each head by their position's angle (the layout of Llama's)."""
    cos_TD, sin_TD = rotation_2TD.to(x_BHTD.dtype)
    return x_BHTD * cos_TD + x_BHTD.roll(x_BHTD.shape[-1] // 2, dims=-1) * sin_TD


def new_decoder(config: ModelConfig, seed: int) -> Decoder:
    """Return a decoder with weights drawn from a seed; equal on every machine with this torch.

    Matrices are normal with deviation 0.02; those that write to the stream are smaller by the root
    of twice the layers (Radford et al. 2019), so that its variance does not grow with depth. The
    embedding is smaller still: as the head it then gives logits of deviation 0.2 at any width, and
    the first loss is that of knowing nothing, ln V, within 1%.
    """
    model = Decoder(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=init_std(name, config), generator=generator)
    return model


def init_std(name: str, config: ModelConfig) -> float:
    """Return the deviation that a matrix begins with."""
    if name == "embedding.weight":
        return INIT_LOGIT_STD * config.width**-0.5
    return INIT_STD * ((2 * config.num_layers) ** -0.5 if name.endswith("output.weight") else 1)
