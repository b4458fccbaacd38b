"""What a run shows: a line for a person, and a file without gaps or doubles."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from training.metrics import (
    Meter,
    MetricsFile,
    Progress,
    bits_per_byte,
    progress_line,
    read_metrics,
)


def progress_at(step: int, **changes: object) -> Progress:
    facts = {
        "step": step,
        "num_steps": 200,
        "loss": 4.25,
        "bits_per_byte": 2.125,
        "learning_rate": 1e-3,
        "gradient_norm": 0.5,
        "tokens_per_second": 12345.6,
        "seconds_left": 125.4,
        "waiting_ratio": 0.001,
    }
    return Progress(**{**facts, **changes})


def test_a_line_says_loss_bits_speed_and_time_left() -> None:
    line = progress_line(progress_at(7, scores={"heldout_loss": 4.5}))
    assert line == (
        "step 7/200  loss 4.2500  2.1250 bits/byte  12,346 tokens/s  2:05 left  heldout_loss 4.5000"
    )
    assert "bits/byte" not in progress_line(progress_at(7, bits_per_byte=None))


def test_a_bit_is_a_half_in_chance() -> None:
    assert bits_per_byte(nats=8 * math.log(2), num_bytes=4) == pytest.approx(2)


def test_the_file_holds_each_step_once_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path, 0)
    for step in (1, 2, 3, 4):
        metrics.add(progress_at(step))
    path.write_text(path.read_text() + '{"step": 5, "lo')  # killed while writing
    again = MetricsFile(path, steps_done=3)
    again.add(progress_at(4, loss=1.0))
    lines = read_metrics(path)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert [line["loss"] for line in lines] == [4.25, 4.25, 4.25, 1.0]
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_a_meter_tells_speed_waiting_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter()
    assert (meter.tokens_per_second, meter.waiting_ratio, meter.seconds_left(3)) == (0, 0, 0)
    monkeypatch.setattr("training.metrics.time.perf_counter", iter([12.0, 24.0]).__next__)
    meter.count(100, started=10.0, data_ready=10.5)
    meter.count(100, started=22.0, data_ready=22.5)
    assert meter.tokens_per_second == 50
    assert meter.waiting_ratio == 0.25
    assert meter.seconds_left(3) == 6
