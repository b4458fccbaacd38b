"""How much memory a training takes, told before any of it is taken.

An estimate of what stands at the moment of most: weights, gradients, the optimiser's state, what a
micro-batch keeps for its backward pass, and a chunk of logits. In bytes of tensors; the process
itself and what its allocator cannot use again come on top.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import torch

from data_contracts.errors import UsageError
from training.cross_entropy import CHUNK_BYTES, MIN_CHUNK_TOKENS
from training.model_config import ModelConfig
from training.presets import num_block_parameters, num_parameters

FLOAT_BYTES = 4
_CGROUP = Path("/sys/fs/cgroup")
_COPIES_OF_LOGITS = 3  # the logits, their logarithms, the errors
_STATES = {"adamw": (2, 2), "muon": (1, 2)}  # tensors for a block's matrix, for any other weight


@dataclass(frozen=True)
class Memory:
    """What a training takes of a device, in bytes, by what for."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


def training_memory(
    config: ModelConfig,
    micro_batch_rows: int,
    optimizer: str = "adamw",
    device: str = "cpu",
    dtype: str = "float32",
) -> Memory:
    """Return what training takes with ``micro_batch_rows`` rows of a whole context at once.

    An upper bound where a model is compiled, as fewer tensors are then kept.
    """
    parameters = num_parameters(config)
    matrices = config.num_layers * num_block_parameters(config)
    of_matrix, of_rest = _STATES.get(optimizer, _STATES["adamw"])
    num_tokens = micro_batch_rows * config.context_tokens
    number_bytes = FLOAT_BYTES if dtype == "float32" else FLOAT_BYTES // 2
    kept = config.num_layers * numbers_kept(config)
    transient = 3 * config.feed_forward_width + 4 * config.width
    chunk_tokens = max(MIN_CHUNK_TOKENS, CHUNK_BYTES[device] // (FLOAT_BYTES * config.vocab_size))
    of_chunk = _COPIES_OF_LOGITS * min(num_tokens, chunk_tokens) * config.vocab_size
    of_head = config.vocab_size * config.width
    return Memory(
        weights=FLOAT_BYTES * parameters,
        gradients=FLOAT_BYTES * parameters,
        optimizer=FLOAT_BYTES * (of_matrix * matrices + of_rest * (parameters - matrices)),
        activations=number_bytes * num_tokens * (kept + transient),
        logits=FLOAT_BYTES * (of_chunk + of_head),
    )


def numbers_kept(config: ModelConfig) -> int:
    """Return how many numbers a block keeps of each token for its backward pass.

    Both norms' inputs and outputs and what attention gave; its queries, keys and values, and where
    these are turned, what they were before; the feed-forward's inside, gated or not.
    """
    inner, width = config.feed_forward_width, config.width
    of_heads = width + 2 * config.num_kv_heads * config.head_size
    if config.shape == "gpt2":
        return 5 * width + of_heads + 2 * inner
    turned = width + config.num_kv_heads * config.head_size
    return 5 * width + of_heads + turned + 4 * inner


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free for this process on a device; None where nothing says it."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [_free_of_machine(), _free_of_cgroup()]
    return min((value for value in found if value is not None), default=None)


def _free_of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _free_of_cgroup() -> int | None:
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        files = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) - used + int(files.get("inactive_file", 0))


def check_memory(needed: Memory, free: int | None, config: ModelConfig, rows: int) -> None:
    """Raise UsageError in one sentence if a training cannot fit, naming what to lower."""
    if free is None or needed.total <= free:
        return
    knob = "micro_batch_rows" if needed.activations > needed.total // 2 and rows > 1 else "depth"
    now = rows if knob == "micro_batch_rows" else config.num_layers
    raise UsageError(
        f"training this model needs about {needed.total / 2**30:.1f} GiB of memory and "
        f"{free / 2**30:.1f} are free; lower pretrain.{knob} (now {now})"
    )
