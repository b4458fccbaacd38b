"""What a GPU needs so that the same training gives the same bits, and goes on with them.

On a processor nothing is needed but the same number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

CUBLAS_WORKSPACE = ":4096:8"


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """On ``cuda``, meanwhile let only kernels run that add in a fixed order; else do nothing.

    That concerns the backward passes of attention and of look-ups. cuBLAS also wants a workspace of
    fixed size, which it reads from the environment once; a setting found there stays.
    """
    if device != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    settings: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = False  # it finds bugs, at the price of a pass over memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        settings.fill_uninitialized_memory = before[1]
