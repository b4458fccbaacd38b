"""What a step costs and what the machine could do: the two sides of MFU, and memory.

Model FLOP utilisation is the FLOP that the model's mathematics needs for the tokens trained on in a
second, over the FLOP that the machine's matrix products run at (Chowdhery et al. 2022, appendix B):
6 for each parameter of a matrix product and 12 · layers · width · T for attention, a token, as if
nothing were masked. What fills rows up is no token, and the head's parameters count for those
tokens only that an objective has go through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from store.peak_memory import peak_bytes
from training.model import Transformer
from training.precision import Precision

# Dense bfloat16 FLOP a second as the vendor states them, by a part of the device's name.
GPU_BFLOAT16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
_PRODUCT_SIZE, _ROUNDS = {"cpu": 1024, "cuda": 8192}, 6


def token_flop(model: Transformer, head_ratio: float = 1.0) -> float:
    """Return the FLOP of training on one token; what is only looked up costs none.

    ``head_ratio`` is the share of tokens whose states go through the head, and through what an
    encoder has before it.
    """
    config = model.config
    of_head: list[Tensor] = [model.head_weight]
    if model.prediction is not None:
        of_head += model.prediction.parameters()
    if model.head_bias is not None:
        of_head.append(model.head_bias)
    looked_up: list[Tensor] = [] if config.tied_head else [model.embedding.weight]
    if model.positions is not None:
        looked_up.append(model.positions.weight)
    head, unused = (sum(tensor.numel() for tensor in tensors) for tensors in (of_head, looked_up))
    parameters = model.num_parameters - unused - head + head_ratio * head
    return 6 * parameters + 12 * config.num_layers * config.width * config.context_tokens


def peak_flops(device: torch.device, precision: Precision) -> float:
    """Return how many FLOP a second matrix products run at here: stated by the vendor, or measured.

    Measuring takes well under a second: the fastest of some products of square matrices, in the
    run's numbers and threads.
    """
    if device.type == "cuda" and precision.name == "bfloat16":
        name = torch.cuda.get_device_name(device)
        stated = (flops for part, flops in GPU_BFLOAT16.items() if part in name)
        if flops := next(stated, None):
            return flops
    return measured_flops(device, getattr(torch, precision.name))


def measured_flops(
    device: torch.device, dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the FLOP a second of a large matrix product of random numbers, by a clock."""
    size = _PRODUCT_SIZE[device.type]
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator).to(device, dtype) for _ in range(2))
    seconds = []
    for _ in range(_ROUNDS):
        started = clock()
        _ = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(clock() - started)
    return 2 * size**3 / min(seconds)


def memory_bytes(device: torch.device) -> int:
    """Return the most memory that was in use so far: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_bytes()
