"""What a recipe leaves to the machine: in which numbers, and on how many threads, models compute.

Both change weights, so both are decided before anything is planned, stand in the receipt of what
was trained, and count in its identity. What was measured is remembered with the person, so that the
same machine decides the same each time.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from flows.state import state_folder
from training.config import NAMES_OF_NUMBERS, PretrainConfig
from training.presets import HEAD_SIZE
from training.processor import bfloat16_flags, processor_name

_REMEMBERED = "precision.json"

Config = TypeVar("Config", bound=Any)


def on_this_machine(config: PretrainConfig) -> PretrainConfig:
    """Return the config with ``dtype`` and ``num_threads`` decided where it leaves them open."""
    config = with_threads(config)
    if config.dtype != "auto":
        return config
    width = config.model.width or config.depth * HEAD_SIZE
    name, reason = _precision(state_folder(), config.device, width)
    return replace(config, dtype=name, dtype_reason=reason)


def with_threads(config: Config) -> Config:
    """Return a config whose ``num_threads`` is one per core of this process where it was 0."""
    if config.num_threads:
        return config
    return replace(config, num_threads=len(os.sched_getaffinity(0)))


@functools.cache
def _precision(state: Path, device: str, width: int) -> tuple[str, str]:
    """Return name and reason of the numbers to compute in, measured once per machine and width."""
    path = state / _REMEMBERED
    known = _read(path)
    processor = " ".join([processor_name(), *bfloat16_flags()])
    key = f"{processor}, {device}, width {width}, torch {version('torch')}"
    if key not in known:
        known[key] = _measure(device, width)
        with contextlib.suppress(OSError):  # then it is measured each time
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.{os.getpid()}")
            fresh.write_text(json.dumps(known, indent=1, sort_keys=True))
            fresh.replace(path)
    name, reason = known[key]
    return name, reason


def _measure(device: str, width: int) -> tuple[str, str]:
    from training.precision import choose_precision
    from training.pretrain import torch_device

    chosen = choose_precision(torch_device(device), width)
    return chosen.name, chosen.reason


def _read(path: Path) -> dict[str, tuple[str, str]]:
    try:
        known = json.loads(path.read_text())
        return {str(k): (str(n), str(r)) for k, (n, r) in known.items() if n in NAMES_OF_NUMBERS}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
