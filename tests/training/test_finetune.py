"""Fine-tuning as a whole: both arms learn, kills change no bit, divergence loses."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from labelled_table import labelled_table
from safetensors.torch import load_file, save_file

from data_contracts.errors import InputError, UsageError
from training.evaluate import accuracy, macro_f1
from training.finetune import FinetuneResult, finetune
from training.finetune_config import FinetuneConfig
from training.loop import NotFinite
from training.model import new_model
from training.model_config import ModelConfig

ROOT = Path(__file__).resolve().parents[2]
SHAPE = ModelConfig(40, 1, 16, 2, 1, 24, 16)
CONFIG = FinetuneConfig(
    learning_rates=(3e-3, 1e-2),
    epochs=(1, 8),
    num_seeds=2,
    batch_rows=8,
    dropout_ratio=0.1,
    curve_points=4,
    checkpoint_every_steps=5,
)
SHORT = dataclasses.replace(CONFIG, learning_rates=(1e-2,), epochs=(1, 2))

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import torch
torch.set_num_threads(1)
import test_finetune as tests
import training.finetune_run as runs, training.loop as loop

kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
work, (kind, _, name) = Path(sys.argv[3]), sys.argv[4].partition(" ")
save, write = loop.save, runs.write_result
def save_and_die(session):
    save(session)
    if kind == "saved" and session.folder.name == name and session.step == 10:
        kill()
def die_and_write(folder, settings, result):
    if kind == "writing" and folder.name == name:
        kill()
    write(folder, settings, result)
    if kind == "wrote" and folder.name == name:
        kill()
loop.save, runs.write_result = save_and_die, die_and_write
tests.run(work.parent, work, tests.SHORT)
"""


def run(
    tmp_path: Path, work: Path, config: FinetuneConfig = CONFIG, **table: int
) -> FinetuneResult:
    weights = tmp_path / "weights.safetensors"
    if not weights.exists():
        save_file(new_model(SHAPE, 7).state_dict(), weights)
    return finetune(config, labelled_table(**table), SHAPE, weights, work, lambda line: None)


def states(result: FinetuneResult) -> list[dict[str, torch.Tensor]]:
    return [
        load_file(run.weights) for arm in result.arms.values() for run in arm.runs if run.weights
    ]


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    straight = run(tmp_path, tmp_path / "straight", SHORT)
    work = tmp_path / "killed"
    for when in (
        "saved pretrained-trial-002",
        "writing pretrained-seed-1",
        "saved scratch-trial-002",
    ):
        words = [str(ROOT), str(Path(__file__).parent), str(work), when]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *words], capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    torch.rand(3)  # what was drawn before does not matter
    again = run(tmp_path, work, SHORT)
    assert again.predictions.equals(straight.predictions)
    pairs = list(zip(states(again), states(straight), strict=True))
    assert len(pairs) == 4
    for ours, theirs in pairs:
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for name, arm in again.arms.items():
        assert arm.scores == straight.arms[name].scores
        assert arm.runs[0].curve == straight.arms[name].runs[0].curve


def test_both_arms_learn_and_the_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    result = run(tmp_path, tmp_path / "work")
    rows = result.predictions
    order = [(r["arm"], r["seed"], r["partition"]) for r in rows.to_pylist()]
    assert order == sorted(order)
    assert len(rows) == 2 * 2 * (18 + 15)
    dev_ids = [f"dev-{number:03d}" for number in range(18)]
    for name, arm in result.arms.items():
        assert arm.chosen in arm.scores
        assert arm.chosen.macro_f1 == max(score.macro_f1 or 0 for score in arm.scores)
        for seed, final in enumerate(arm.runs):
            mask = (pc.field("arm") == name) & (pc.field("seed") == seed)
            dev = rows.filter(mask & (pc.field("partition") == "dev"))
            assert dev["doc_id"].to_pylist() == dev_ids
            labels, predicted = dev["label"].to_numpy(), dev["predicted"].to_numpy()
            assert final.score.macro_f1 == macro_f1(labels, predicted, 3)
            assert final.score.accuracy == accuracy(labels, predicted) > 0.6
            assert final.curve[-1]["accuracy"] == final.score.accuracy
        quarters = [arm.chosen.num_steps * quarter // 4 for quarter in (1, 2, 3, 4)]
        assert [point["step"] for point in arm.runs[0].curve] == quarters
        assert arm.tokens_per_second > 0
    assert 1 / 3 <= np.min(rows["probability"].to_numpy()) <= 1
    first, second, *_ = states(result)
    assert not torch.equal(first["head.weight"], second["head.weight"])


def test_what_is_finished_is_taken_and_what_is_damaged_is_done_again(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=(1,), learning_rates=(1e-2,))
    first = run(tmp_path, tmp_path / "work", config)
    before = [{name: t.clone() for name, t in state.items()} for state in states(first)]
    again = run(tmp_path, tmp_path / "work", config)
    assert [arm.tokens_per_second for arm in again.arms.values()] == [0, 0]
    path = tmp_path / "work" / "scratch-trial-001" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    third = run(tmp_path, tmp_path / "work", config)
    assert third.arms["pretrained"].tokens_per_second == 0 < third.arms["scratch"].tokens_per_second
    assert third.predictions.equals(first.predictions)
    for ours, theirs in zip(states(third), before, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    other = dataclasses.replace(config, weight_decay=0.5)
    with pytest.raises(UsageError, match=r"holds a run with weight_decay = 0.01, not 0.5"):
        run(tmp_path, tmp_path / "work", other)


def test_a_diverging_trial_is_the_worst_and_all_of_them_an_error(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, learning_rates=(1e38, 1e-2), epochs=(2,))
    result = run(tmp_path, tmp_path / "work", config)
    for arm in result.arms.values():
        assert "lower the learning rate" in (arm.scores[0].diverged or "")
        assert (arm.scores[0].macro_f1, arm.trial.number) == (None, 2)
    again = run(tmp_path, tmp_path / "work", config)
    assert again.arms["scratch"].scores == result.arms["scratch"].scores
    config = dataclasses.replace(config, learning_rates=(1e38,))
    with pytest.raises(NotFinite, match=r"^pretrained: all 1 trials diverged, the first as "):
        run(tmp_path, tmp_path / "other", config)


def test_fewer_documents_than_a_batch_are_read_at_once(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, batch_rows=64, learning_rates=(1e-2,), epochs=(2,))
    before = torch.get_num_threads()
    result = run(tmp_path, tmp_path / "work", config, train=4)
    assert (result.batch_rows, result.arms["scratch"].chosen.num_steps) == (12, 2)
    assert torch.get_num_threads() == before
    with pytest.raises(InputError, match="no labelled document is in test"):
        run(tmp_path, tmp_path / "none", config, test=0)
    assert not (tmp_path / "none").exists()


def test_impossible_settings_are_refused() -> None:
    assert len(FinetuneConfig().learning_rates) * len(FinetuneConfig().epochs) >= 8
    wrongs = {"learning_rates": (), "epochs": (2, 2), "num_seeds": 0, "batch_rows": 0}
    wrongs |= {"warm_up_ratio": 1.0, "weight_decay": -1.0, "pooling": "max", "dtype": "auto"}
    wrongs |= {"num_threads": -1, "choose_by": "loss", "curve_points": 0, "dropout_ratio": 1.0}
    for name, value in wrongs.items():
        with pytest.raises(UsageError, match=f"finetune.{name} "):
            dataclasses.replace(CONFIG, **{name: value})
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="give numbers above 0"):
            FinetuneConfig(learning_rates=(rate,))


def test_an_encoder_is_fine_tuned_beside_a_twin_of_its_shape(tmp_path: Path) -> None:
    shape = ModelConfig(40, 1, 16, 2, 2, 24, 16, shape="modernbert")
    weights = tmp_path / "encoder.safetensors"
    save_file(new_model(shape, 7).state_dict(), weights)
    config = dataclasses.replace(SHORT, num_seeds=1, dropout_ratio=0.0)
    table, tell = labelled_table(), lambda line: None
    both = finetune(config, table, shape, weights, tmp_path / "both", tell)
    assert list(both.arms) == ["pretrained", "scratch"]
    one = dataclasses.replace(config, arms=("pretrained",))
    alone = finetune(one, table, shape, weights, tmp_path / "both", tell)
    assert list(alone.arms) == ["pretrained"]
    kept = both.predictions.slice(0, len(alone.predictions))
    assert alone.predictions.equals(kept)
