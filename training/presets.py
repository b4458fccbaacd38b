"""Models by one dial, their depth, and how such a model is best trained. Imports no torch.

What is derived is where to begin; every value can be set instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_contracts.errors import UsageError
from training.model_config import ModelConfig

HEAD_SIZE = 64
MODERNBERT_ROPE_BASE = 160_000.0  # of its global layers (Warner et al. 2024)
TOKENS_PER_PARAMETER = 20  # Hoffmann et al. 2022


def preset(
    depth: int, vocab_size: int, context_tokens: int, shape: str = "llama", **overrides: Any
) -> ModelConfig:
    """Return the model of a depth: ``depth`` layers, width 64 a layer, heads of 64.

    2 gives about 1M parameters (V = 4,096), 12 about 100M, 52 about 7B. In a llama two query heads
    share a key/value head where their number is even. A gated feed-forward is 8/3 of the width,
    rounded up to 64, which gives its three matrices the size of the usual two of 4 widths (Shazeer
    2020), which a gpt2 has. ``overrides`` are fields of `ModelConfig` that shall be otherwise; what
    is derived follows them: heads and feed-forward another width, key/value heads other heads.
    """
    if depth < 1:
        raise UsageError(f"depth is {depth}; give 1 or more")
    width = overrides.get("width", HEAD_SIZE * depth)
    heads = overrides.get("num_heads", max(1, width // HEAD_SIZE))
    gated_width = HEAD_SIZE * -(-8 * width // (3 * HEAD_SIZE))
    derived: dict[str, Any] = {
        "vocab_size": vocab_size,
        "num_layers": depth,
        "width": width,
        "num_heads": heads,
        "num_kv_heads": heads // 2 if shape == "llama" and heads % 2 == 0 else heads,
        "feed_forward_width": 4 * width if shape == "gpt2" else gated_width,
        "context_tokens": context_tokens,
        "rope_base": MODERNBERT_ROPE_BASE if shape == "modernbert" else 10_000.0,
        "shape": shape,
    }
    return ModelConfig(**{**derived, **overrides})


def peak_learning_rate(width: int, optimizer: str = "adamw") -> float:
    """Return 6e-4 at width 768, falling as 1/width: within 15% of Brown et al. 2020, table 2.1.

    Muon takes four times as much: found best of 6e-3, 1.2e-2 and 2e-2 at width 128 in short runs,
    where AdamW did worse with more than this rule.
    """
    return 6e-4 * 768 / width * (4 if optimizer == "muon" else 1)


@dataclass(frozen=True)
class TrainingPreset:
    """How a model is trained: tokens in all, tokens a step, peak rate, weight decay."""

    num_tokens: int
    batch_tokens: int
    peak_learning_rate: float
    weight_decay: float


def training_preset(config: ModelConfig, optimizer: str = "adamw") -> TrainingPreset:
    """Return where to begin with a model.

    20 tokens a parameter (Hoffmann et al. 2022). A batch as `best_batch_tokens` says for 6 FLOP a
    parameter and token, rounded down to a power of two. The
    `peak_learning_rate` of an optimiser, and a weight decay of 0.1 at width 768 that grows with the
    width, so that a step takes the same share off a weight at any width (Wang and Aitchison 2024).
    """
    parameters = num_parameters(config)
    num_tokens = TOKENS_PER_PARAMETER * parameters
    best_tokens = int(best_batch_tokens(6 * parameters * num_tokens))
    return TrainingPreset(
        num_tokens=num_tokens,
        batch_tokens=1 << best_tokens.bit_length() - 1,
        peak_learning_rate=peak_learning_rate(config.width, optimizer),
        weight_decay=0.1 * config.width / 768,
    )


def best_batch_tokens(flop: float) -> float:
    """Return the tokens of the best batch for a training of so many FLOP (Bi et al. 2024)."""
    return 0.292 * flop**0.3271


def num_parameters(config: ModelConfig) -> int:
    """Return how many parameters a model has, without making it."""
    width, encoder = config.width, config.shape == "modernbert"
    norm = width * (1 + config.biases)
    total = config.vocab_size * width * (1 if config.tied_head else 2) + norm
    total += config.num_layers * (num_block_parameters(config) + 2 * norm)
    if config.shape == "gpt2":
        total += config.context_tokens * width
    if encoder:  # two norms more, of embedding and prediction, and the first block's one less
        total += norm + width * width + config.vocab_size
    return total


def num_block_parameters(config: ModelConfig) -> int:
    """Return how many parameters a block has, but for its norms."""
    width, inner = config.width, config.feed_forward_width
    rows = (config.num_heads + 2 * config.num_kv_heads) * config.head_size
    matrices = width * (rows + width + inner * (2 if config.shape == "gpt2" else 3))
    return matrices + (rows + width + inner + width if config.biases else 0)
