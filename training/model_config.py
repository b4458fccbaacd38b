"""What a model is, as plain values. Imports no torch, so that planning is fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from data_contracts.errors import UsageError

SHAPES = ("llama", "modernbert", "gpt2")
_MAY_BE_ZERO = ("dropout_ratio", "tied_head", "biases", "exact_gelu")


@dataclass(frozen=True)
class ModelConfig:
    """A model's shape: everything that its weights' shapes and its function depend on.

    ``shape`` is one of three:

    - ``llama``, a decoder: RMSNorm, rotary positions, SwiGLU, grouped queries.
    - ``modernbert``, an encoder: LayerNorm, rotary positions, GeGLU; every
      ``global_every_layers``-th layer, the first among them, sees a whole document, with angles of
      ``rope_base``; the others see ``window_tokens // 2`` to either side, with ``local_rope_base``.
    - ``gpt2``, a decoder: LayerNorm, learned positions, GELU; with ``biases`` as GPT-2 has them, or
      without any; ``exact_gelu`` as nanoGPT has it, or by GPT-2's approximation.

    ``context_tokens`` bounds T. ``num_kv_heads`` divides ``num_heads``, which divides ``width``;
    they are equal but in a llama. ``tied_head``: the embedding is the head's matrix too.
    ``dropout_ratio`` is that of embeddings, of attention and of what each block adds, in training.
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
    shape: str = "llama"
    tied_head: bool = True
    biases: bool = False
    exact_gelu: bool = False
    dropout_ratio: float = 0.0
    window_tokens: int = 128
    local_rope_base: float = 10_000.0
    global_every_layers: int = 3

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise UsageError(f"model.shape is {self.shape!r}; give {' or '.join(SHAPES)}")
        for name, value in vars(self).items():
            if name in ("shape", *_MAY_BE_ZERO):
                continue
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"model.{name} is {value}; give a number above 0")
        if not 0 <= self.dropout_ratio < 1:
            raise UsageError(f"model.dropout_ratio is {self.dropout_ratio}; give 0 up to below 1")
        self._check_heads()
        for name in ("biases", "exact_gelu"):
            if getattr(self, name) and self.shape != "gpt2":
                raise UsageError(f"model.{name} is set, but a {self.shape} has none; leave it out")

    def _check_heads(self) -> None:
        if self.width % (2 * self.num_heads):
            raise UsageError(
                f"model.width is {self.width}; give an even multiple of its {self.num_heads} heads"
            )
        if self.num_heads % self.num_kv_heads:
            raise UsageError(
                f"model.num_kv_heads is {self.num_kv_heads}; give a divisor of {self.num_heads}"
            )
        if self.shape != "llama" and self.num_heads != self.num_kv_heads:
            raise UsageError(
                f"model.num_kv_heads is {self.num_kv_heads}; a {self.shape} has as many as "
                f"heads, {self.num_heads}"
            )

    @property
    def head_size(self) -> int:
        """D, the size of one head."""
        return self.width // self.num_heads

    @property
    def causal(self) -> bool:
        """Whether tokens see only what stands before them; otherwise they see both sides."""
        return self.shape != "modernbert"

    def is_local(self, layer: int) -> bool:
        """Whether a layer, counted from 0, sees a window only."""
        return self.shape == "modernbert" and layer % self.global_every_layers != 0


@dataclass(frozen=True)
class ModelOptions:
    """What of a model shall be otherwise than its depth says; None: as it says.

    Each is the field of that name of `ModelConfig`.
    """

    width: int | None = None
    num_heads: int | None = None
    num_kv_heads: int | None = None
    feed_forward_width: int | None = None
    rope_base: float | None = None
    norm_epsilon: float | None = None
    tied_head: bool | None = None
    biases: bool | None = None
    exact_gelu: bool | None = None
    dropout_ratio: float | None = None
    window_tokens: int | None = None
    local_rope_base: float | None = None
    global_every_layers: int | None = None

    def given(self) -> dict[str, Any]:
        """Return what is set, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}
