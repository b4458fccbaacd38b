"""What a recipe leaves to the machine is decided once, the same each time."""

from __future__ import annotations

import json
import os

import pytest

import flows.machine as machine
from training.config import PretrainConfig


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Count measurements instead of taking them; remember them in a folder of the test's own."""
    taken = []

    def measure(device, width):
        taken.append((device, width))
        return "bfloat16", f"measured {len(taken)}"

    monkeypatch.setenv("MILLRACE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(machine, "_measure", measure)
    return taken


def test_what_was_measured_is_remembered_by_width(measured):
    first = machine.on_this_machine(PretrainConfig(depth=2))
    again = machine.on_this_machine(PretrainConfig(depth=2))
    other = machine.on_this_machine(PretrainConfig(depth=3))
    assert measured == [("cpu", 128), ("cpu", 192)]
    assert (first.dtype, first.dtype_reason) == ("bfloat16", "measured 1")
    assert first == again
    assert other.dtype_reason == "measured 2"


def test_a_dtype_that_is_given_is_not_measured(measured):
    config = machine.on_this_machine(PretrainConfig(dtype="float32", num_threads=3))
    assert (config.dtype, config.dtype_reason, config.num_threads) == ("float32", "asked for", 3)
    assert measured == []


def test_threads_are_those_that_this_process_may_use():
    assert machine.with_threads(PretrainConfig()).num_threads == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("text", ["not json", "[]", '{"a": 3}'])
def test_a_spoilt_memory_is_measured_again(measured, tmp_path, text):
    path = tmp_path / "state" / "precision.json"
    path.parent.mkdir()
    path.write_text(text)
    machine.on_this_machine(PretrainConfig(depth=2))
    assert len(measured) == 1
    assert len(json.loads(path.read_text())) == 1


def test_it_really_measures(monkeypatch, tmp_path):
    monkeypatch.setenv("MILLRACE_STATE_DIR", str(tmp_path))
    config = machine.on_this_machine(PretrainConfig(depth=1))
    assert config.dtype in ("float32", "bfloat16")
    assert "times as fast" in config.dtype_reason
