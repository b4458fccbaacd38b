"""Several processes: the curve of one, its data, and an end of all when one of them dies."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from objective_inputs import inputs_of

from data_contracts.errors import InputError, UsageError
from data_contracts.shards import ShardSet
from training.checkpoint import MODEL
from training.config import GuardConfig, LossTerms, PretrainConfig, config_of
from training.ddp import ProcessesFailed, pretrain_in_processes
from training.job import Job, Places
from training.loader import Rows
from training.metrics import Progress
from training.model_config import ModelOptions
from training.objectives import Causal
from training.pretrain import pretrain
from training.ranks import ALONE, Ranks, buckets

ROOT = Path(__file__).resolve().parents[2]
CONFIG = PretrainConfig(
    depth=1,
    context_tokens=16,
    batch_rows=8,
    micro_batch_rows=2,
    num_steps=12,
    warm_up_steps=3,
    dtype="float32",
    num_threads=1,
    checkpoint_every_steps=4,
    evaluate_every_steps=6,
    log_every_steps=1,
)


def ignore(progress: Progress) -> None:
    pass


def places(tmp_path: Path) -> Places:
    return Places((tmp_path / "shards",))


def with_processes(count: int) -> PretrainConfig:
    return dataclasses.replace(CONFIG, num_processes=count)


MASKED = dataclasses.replace(CONFIG, objective="masked", mask_rate=0.2, whole_words=True)
LABELLED = dataclasses.replace(
    CONFIG, objective="supervised", label_columns=("a", "b"), shape="modernbert"
)


def curve(lines: Sequence[dict]) -> np.ndarray:
    return np.array([[line["loss"], line["gradient_norm"]] for line in lines])


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_the_curve_is_that_of_one_process(
    random_shards: ShardSet, tmp_path: Path, count: int
) -> None:
    alone = pretrain(CONFIG, random_shards, tmp_path / "alone", ignore, random_shards)
    seen: list[Progress] = []
    data = places(tmp_path)
    job = Job(with_processes(count), data, data)
    several = pretrain_in_processes(job, tmp_path / "several", seen.append)
    assert [progress.step for progress in seen] == list(range(1, 13))
    assert curve(several.curve) == pytest.approx(curve(alone.curve), abs=1e-5)
    assert several.heldout_bits_per_byte == pytest.approx(alone.heldout_bits_per_byte, abs=1e-5)
    assert several.curve[-1]["scores"]["heldout_loss"] < np.log(50) - 0.1  # it has learnt
    assert several.precision == alone.precision
    assert several.num_parameters == alone.num_parameters
    assert several.tokens_per_second > 0


@pytest.mark.slow
@pytest.mark.parametrize("config", [MASKED, LABELLED], ids=["masked", "supervised"])
def test_so_is_that_of_other_objectives(
    random_shards: ShardSet, tmp_path: Path, config: PretrainConfig
) -> None:
    given = inputs_of(config, random_shards)
    alone = pretrain(config, random_shards, tmp_path / "one", ignore, random_shards, *given)
    data = places(tmp_path)
    job = Job(dataclasses.replace(config, num_processes=2), data, data, *given)
    several = pretrain_in_processes(job, tmp_path / "several", ignore)
    assert curve(several.curve) == pytest.approx(curve(alone.curve), abs=1e-5)
    assert several.heldout_accuracy == pytest.approx(alone.heldout_accuracy, abs=1e-3)
    scores = [of.curve[-1]["scores"]["heldout_loss"] for of in (several, alone)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert several.objective_facts == alone.objective_facts


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import test_ddp as tests
def progress(progress):
    if progress.step == 6:
        print("at 6", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
config = tests.dataclasses.replace(tests.with_processes(2), num_steps=100_000)
root = Path(sys.argv[3])
tests.pretrain_in_processes(tests.Job(config, tests.places(root)), root / "killed", progress)
"""


def children(word: str) -> list[int]:
    """Return the processes whose command line holds a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if word.encode() in line and b"training.run" in line:
                found.append(int(folder.name))
    return found


def wait_until_none(word: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while children(word) and time.monotonic() < until:
        time.sleep(0.5)
    assert children(word) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_they_end_with_the_process_that_started_them(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    words = [str(ROOT), str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "at 6" in done.stdout
    wait_until_none(str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_one_that_dies_ends_the_run_which_goes_on_with_its_bits(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(
        with_processes(2), num_steps=200, checkpoint_every_steps=20, evaluate_every_steps=None
    )
    job = Job(config, places(tmp_path))
    straight = pretrain_in_processes(job, tmp_path / "straight", ignore)

    def kill_one(progress: Progress) -> None:
        if progress.step == 50:
            workers = [pid for pid in children(str(tmp_path / "killed")) if is_worker(pid)]
            assert len(workers) == 2
            os.kill(max(workers), signal.SIGKILL)

    with pytest.raises(ProcessesFailed, match=r"one of 2 training processes ended with code"):
        pretrain_in_processes(job, tmp_path / "killed", kill_one)
    wait_until_none(str(tmp_path / "killed"))
    again = pretrain_in_processes(job, tmp_path / "killed", ignore)
    assert 40 <= again.resumed_from_step < 200
    assert (again.checkpoint / MODEL).read_bytes() == (straight.checkpoint / MODEL).read_bytes()
    assert [line["loss"] for line in again.curve] == [line["loss"] for line in straight.curve]


class Stopped(Exception):
    """The run was stopped."""


@pytest.mark.slow
def test_dropout_of_several_goes_on_with_its_bits(random_shards: ShardSet, tmp_path: Path) -> None:
    model = ModelOptions(width=32, num_heads=2, dropout_ratio=0.3)
    config = dataclasses.replace(
        with_processes(2),
        batch_rows=7,  # the two draw unlike numbers
        shape="gpt2",
        model=model,
        evaluate_every_steps=None,
    )
    job = Job(config, places(tmp_path))

    def stop(progress: Progress) -> None:
        if progress.step == 6:
            raise Stopped

    straight = pretrain_in_processes(job, tmp_path / "straight", ignore)
    with pytest.raises(Stopped):
        pretrain_in_processes(job, tmp_path / "stopped", stop)
    again = pretrain_in_processes(job, tmp_path / "stopped", ignore)
    assert 4 <= again.resumed_from_step < 12
    assert (again.checkpoint / MODEL).read_bytes() == (straight.checkpoint / MODEL).read_bytes()


def is_worker(pid: int) -> bool:
    return b"torch.distributed.run" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_shares_of_any_number_make_the_batch() -> None:
    rows = Rows(np.random.default_rng(0).integers(3, 40, (7, 9)), np.arange(7))
    batch = Causal(1).batch(rows)
    for count in (1, 2, 3, 4, 7):
        shares = [Ranks(rank, count).share(batch) for rank in range(count)]
        for name in ("tokens_BT", "documents_BT", "targets"):
            parts = torch.cat([getattr(share, name) for share in shares])
            assert torch.equal(parts, getattr(batch, name))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(UsageError, match="batch_rows is 7, too few for 8 processes"):
        Ranks(0, 8).share(batch)


def test_buckets_hold_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranks.BUCKET_NUMBERS", 10)
    tensors = [torch.full((size,), float(size)) for size in (3, 7, 1, 40, 2)]
    found = list(buckets(tensors))
    assert [[len(t) for t in bucket] for bucket in found] == [[3, 7], [1], [40], [2]]
    ALONE.add_up(tensors)
    assert tensors[0].tolist() == [3.0] * 3


def test_a_config_goes_through_json() -> None:
    config = dataclasses.replace(
        CONFIG,
        guard=GuardConfig(max_z=3.0),
        loss=LossTerms(0.1),
        num_processes=3,
        source_weights=(("a", 1.0), ("b", 2.0)),
    )
    assert config_of(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_the_impossible_is_refused_before_any_process_starts(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="too few for num_processes = 9"):
        pretrain_in_processes(Job(with_processes(9), places(tmp_path)), tmp_path / "out", ignore)
    with pytest.raises(UsageError, match="num_processes is 2, but 1 take part"):
        pretrain(with_processes(2), random_shards, tmp_path / "out", ignore)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_all_of_them_refuse_is_told_as_one_error(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(with_processes(2), context_tokens=1000)
    with pytest.raises(InputError, match="too few for one batch"):
        pretrain_in_processes(Job(config, places(tmp_path)), tmp_path / "out", ignore)
