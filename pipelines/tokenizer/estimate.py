"""What learning a tokenizer will take, told before it begins, so that nobody waits for a failure.

The coefficients are of ``benchmarks/train_tokenizer.py`` on mixed real text, and are on the high
side of what was measured (``docs/benchmarks.md``); text of fewer different words takes less.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from data_contracts.errors import RecipeError

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_BASE_BYTES = 30_000_000
_BYTES_PER_BYTE = {"bpe": 8, "unigram": 32}
_SECONDS_PER_BYTE = {"bpe": 0.6e-6, "unigram": 5e-6}


class Estimate(NamedTuple):
    """Processor seconds of all threads together, and bytes of memory beside what is in use."""

    seconds: float
    memory_bytes: int


def estimate(model_type: str, sample_bytes: int) -> Estimate:
    """Return what learning from so much text takes, roughly; threads change it little."""
    memory_bytes = _BASE_BYTES + sample_bytes * _BYTES_PER_BYTE[model_type]
    return Estimate(sample_bytes * _SECONDS_PER_BYTE[model_type], memory_bytes)


def announced(model_type: str, sample_bytes: int) -> str:
    """Return the line that tells a person what is to come.

    Raises:
        RecipeError: if it takes more memory than this machine, or its container, has.
    """
    expected, available = estimate(model_type, sample_bytes), machine_bytes()
    if expected.memory_bytes > available:
        most = max(0, available - _BASE_BYTES) // _BYTES_PER_BYTE[model_type]
        raise RecipeError(
            f"learning a {model_type} tokenizer from {sample_bytes:,} bytes takes about "
            f"{expected.memory_bytes / 1e9:.1f} GB of memory, and this machine has "
            f"{available / 1e9:.1f}; set tokenizer.sample_bytes to {most:,} or less."
        )
    return (
        f"learning a {model_type} tokenizer from {sample_bytes / 1e6:,.1f} MB takes about "
        f"{expected.seconds:,.0f} s of processor time and {expected.memory_bytes / 1e9:.1f} GB of "
        f"memory"
    )


def machine_bytes() -> int:
    """Return the memory of this machine, or of the container that this process runs in."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, _CGROUP_LIMITS):
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
    return min(limits)
