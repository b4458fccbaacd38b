"""Which numbers to compute in: measured in under two seconds, or asked for."""

from __future__ import annotations

import time

import pytest
import torch

from data_contracts.errors import UsageError
from training import precision
from training.precision import Precision, choose_precision

CPU = torch.device("cpu")


def test_the_faster_is_chosen_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.perf_counter()
    chosen = choose_precision(CPU, 256)
    assert time.perf_counter() - started < 2
    assert chosen.name in ("float32", "bfloat16")
    gain = float(chosen.reason.split("bfloat16 is ")[1].split()[0])
    assert (chosen.name == "bfloat16") == (gain >= precision.MIN_GAIN)
    monkeypatch.setattr(precision, "MIN_GAIN", gain * 100)
    assert choose_precision(CPU, 256).name == "float32"
    monkeypatch.setattr(precision, "MIN_GAIN", gain / 100)
    assert choose_precision(CPU, 256).name == "bfloat16"


def test_autocast_computes_in_what_was_chosen() -> None:
    weight, x = torch.ones(4, 4), torch.ones(2, 4)
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Precision(name, "asked for").autocast(CPU):
            assert torch.nn.functional.linear(x, weight).dtype == dtype


def test_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="dtype is half; give auto, float32 or bfloat16"):
        Precision("half", "asked for")
