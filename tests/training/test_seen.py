"""What is shown of a run: bits by source, samples, events, the use of the machine."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objective_inputs import inputs_of

from data_contracts.errors import UsageError
from data_contracts.shards import ShardSet
from training.config import AdamWConfig, Plan, PretrainConfig
from training.derive import model_of
from training.heldout import DocumentScores
from training.learning import begin_step
from training.loader import PADDING, Loader
from training.metrics import Meter, Progress, progress_line
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import Causal
from training.optim import new_optimizer
from training.parts import Parts
from training.precision import Precision
from training.pretrain import pretrain
from training.ranks import ALONE
from training.rates import measured_flops, memory_bytes, peak_flops, token_flop
from training.seen import NOTHING_SEEN, Seen, read_seen, scores_by_source, utilisation_of
from training.tensorboard import Events

CPU, FLOAT32 = torch.device("cpu"), Precision("float32", "asked for")
CONFIG = PretrainConfig(
    depth=1,
    context_tokens=16,
    batch_rows=4,
    micro_batch_rows=4,
    num_steps=6,
    warm_up_steps=1,
    dtype="float32",
    evaluate_every_steps=3,
    log_every_steps=1,
)
PROGRESS = Progress(3, 10, 2.5, 1.25, 1e-3, 0.5, 1234.0, 65.0, 0.004)


def test_bits_by_source_are_those_of_its_documents_alone() -> None:
    draw = np.random.default_rng(0)
    sources = [f"s{n}" for n in draw.integers(0, 4, 40)]
    indexes = np.sort(draw.choice(40, 25, replace=False))
    scores = DocumentScores(
        indexes, draw.uniform(1, 9, 25), draw.integers(1, 9, 25), draw.integers(1, 99, 25)
    )
    found = scores_by_source(scores, sources)
    assert len(found) == 4
    for name, bits in found.items():
        mine = [n for n in range(25) if f"heldout_bits_per_byte/{sources[indexes[n]]}" == name]
        nats, num_bytes = scores.nats_N[mine].sum(), scores.num_bytes_N[mine].sum()
        assert bits == pytest.approx(nats / math.log(2) / num_bytes)
    whole = dataclasses.replace(scores)
    assert min(found.values()) < whole.bits_per_byte < max(found.values())


def test_a_run_tells_bits_by_source(random_shards: ShardSet, tmp_path: Path) -> None:
    sources = ["even", "odd"] * 30
    result = pretrain(
        CONFIG, random_shards, tmp_path, lambda _: None, random_shards, seen=Seen(None, sources)
    )
    names = ["heldout_loss", "heldout_bits_per_byte"]
    names += ["heldout_bits_per_byte/even", "heldout_bits_per_byte/odd"]
    assert [list(line["scores"]) for line in result.curve if line["scores"]] == [names] * 2
    assert all(0 < line["mfu"] < 2 for line in result.curve)
    assert all(line["memory_bytes"] > 10_000_000 for line in result.curve)


def test_sources_are_mixed_by_weight_and_gone_on_with(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(
        CONFIG, source_weights=(("even", 1.0), ("odd", 3.0)), checkpoint_every_steps=3
    )
    seen = Seen(train_sources=["even", "odd"] * 30)
    mixed = pretrain(config, random_shards, tmp_path / "mixed", lambda _: None, seen=seen)
    plain = pretrain(CONFIG, random_shards, tmp_path / "plain", lambda _: None)
    assert mixed.curve[0]["loss"] != plain.curve[0]["loss"]
    again = pretrain(config, random_shards, tmp_path / "mixed", lambda _: None, seen=seen)
    assert again.resumed_from_step == 6
    with pytest.raises(UsageError, match="the sources of the documents are not known"):
        pretrain(config, random_shards, tmp_path / "none", lambda _: None)


def test_it_goes_to_other_processes(tmp_path: Path) -> None:
    for seen in (NOTHING_SEEN, Seen(b"model", ["a", "b"]), Seen(None, None, ["c"])):
        seen.write(tmp_path)
        assert read_seen(tmp_path) == seen


def test_the_flop_of_a_token_are_those_of_its_products() -> None:
    llama = new_model(ModelConfig(50, 2, 32, 2, 2, 48, 16), 0)
    of_matrices = 50 * 32 + 2 * (32 * 96 + 32 * 32 + 3 * 32 * 48) + 5 * 32
    assert token_flop(llama) == 6 * of_matrices + 12 * 2 * 32 * 16
    untied = new_model(ModelConfig(50, 2, 32, 2, 2, 48, 16, tied_head=False), 0)
    assert token_flop(untied) == token_flop(llama)
    gpt2 = new_model(ModelConfig(50, 1, 32, 2, 2, 128, 16, shape="gpt2"), 0)
    looked_up = gpt2.positions.weight.numel()
    assert token_flop(gpt2) == 6 * (gpt2.num_parameters - looked_up) + 12 * 32 * 16


def test_the_head_costs_those_tokens_that_go_through_it() -> None:
    encoder = new_model(ModelConfig(500, 2, 32, 2, 2, 48, 16, shape="modernbert"), 0)
    head = 500 * 32 + 500 + 32 * 32 + 32  # embedding, bias, dense layer, its norm
    of_blocks = encoder.num_parameters - head
    assert token_flop(encoder, 0.15) == 6 * (of_blocks + 0.15 * head) + 12 * 2 * 32 * 16
    untied = new_model(ModelConfig(500, 2, 32, 2, 2, 48, 16, tied_head=False), 0)
    tied = new_model(ModelConfig(500, 2, 32, 2, 2, 48, 16), 0)
    assert token_flop(untied, 0.0) == token_flop(tied, 0.0) == token_flop(tied) - 6 * 500 * 32


@pytest.mark.parametrize(
    ("changes", "head_ratio"),
    [
        ({}, 1.0),
        ({"objective": "masked", "mask_rate": 0.3}, 0.3),
        ({"objective": "supervised", "label_columns": ("kind",)}, 0.0),
    ],
)
def test_the_use_of_the_machine_is_that_of_the_objective(
    random_shards: ShardSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    head_ratio: float,
) -> None:
    monkeypatch.setattr("training.seen.peak_flops", lambda *_: 1e9)
    config = dataclasses.replace(CONFIG, **changes)
    needs = inputs_of(config, random_shards)
    result = pretrain(config, random_shards, tmp_path, lambda _: None, None, *needs)
    model = new_model(model_of(config, random_shards.vocab_size), 0)
    for line in result.curve:
        expected = line["tokens_per_second"] * token_flop(model, head_ratio) / 1e9
        assert line["mfu"] == pytest.approx(expected)


def test_what_fills_rows_up_is_no_token_of_a_second(random_shards: ShardSet) -> None:
    loader, objective = Loader(random_shards, 40, 8, 0, "one_per_row"), Causal(random_shards.bos_id)
    model = new_model(ModelConfig(50, 1, 32, 2, 2, 48, 40), 0)
    optimizer = new_optimizer(model, "adamw", AdamWConfig(weight_decay=0.0))
    parts = Parts(model, optimizer, objective, loader, lambda _: 1e-3, FLOAT32, {})
    meter = Meter()
    begin_step(parts, 0, 0, Plan(1, 8), meter)
    assert 0 < meter.num_tokens == int((loader(0).tokens_BS[:, :-1] != PADDING).sum()) < 8 * 40


def test_the_machines_rate_is_measured() -> None:
    rate = peak_flops(CPU, FLOAT32)
    left = torch.randn(1024, 1024)
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        _ = left @ left
        seconds.append(time.perf_counter() - started)
    assert 0.1 < rate / (2 * 1024**3 / min(seconds)) < 10
    assert measured_flops(CPU, torch.float32) > 1e8
    model = new_model(ModelConfig(50, 2, 32, 2, 2, 48, 16), 0)
    mfu = utilisation_of(model, FLOAT32, CPU, ALONE)
    assert mfu(2e6) == pytest.approx(2 * mfu(1e6))
    assert memory_bytes(CPU) > 10_000_000


def test_the_line_shows_all_that_is_known() -> None:
    line = progress_line(PROGRESS)
    assert line == "step 3/10  loss 2.5000  1.2500 bits/byte  1,234 tokens/s  1:05 left"
    full = dataclasses.replace(
        PROGRESS,
        mfu=0.456,
        memory_bytes=3 << 29,
        waiting_ratio=0.02,
        scores={"a": 1.0},
        num_incidents=2,
        sample='so "it\n',
    )
    assert progress_line(full).split("  ")[3:] == [
        "1,234 tokens/s",
        "MFU 46%",
        "1.50 GiB",
        "2.0% waiting for data",
        "1:05 left",
        "a 1.0000",
        "went back 2 times",
        '"so \\"it\\n"',
    ]


def test_events_are_what_tensorboard_reads(tmp_path: Path) -> None:
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    events = Events(tmp_path)
    for step in (1, 2, 3, 2, 3):  # the guard went back after 3
        scores = {"heldout_loss": step / 2} if step == 3 else {}
        loss = 9.0 if step == 3 and events._last_step == 2 else float(step)
        sample = "text" if step == 3 else None
        events.add(
            dataclasses.replace(PROGRESS, step=step, loss=loss, scores=scores, sample=sample)
        )
    events.close()
    read = accumulators.EventAccumulator(str(tmp_path))
    read.Reload()
    assert [event.step for event in read.Scalars("loss")] == [1, 2, 3]
    assert [event.value for event in read.Scalars("heldout_loss")] == [1.5]
    assert "mfu" not in read.Tags()["scalars"]
    assert "sample/text_summary" in read.Tags()["tensors"]


def test_without_tensorboard_the_setting_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_shards: ShardSet
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    config = dataclasses.replace(CONFIG, tensorboard_folder=str(tmp_path / "events"))
    with pytest.raises(UsageError, match=r"pip install 'millrace\[tensorboard\]'"):
        pretrain(config, random_shards, tmp_path / "out", lambda _: None)
    assert not (tmp_path / "out").exists()
