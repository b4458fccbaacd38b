"""The loop: micro-batches that add up, a model that learns, and stops that say why."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_contracts.errors import Damaged, UsageError
from training import loop
from training.checkpoint import MODEL
from training.config import PLAIN, AdamWConfig, LossTerms, Plan
from training.learning import Begun, gradients, seed_generators
from training.loader import PADDING, Rows
from training.loop import CHECKPOINTS, METRICS, NotFinite, train
from training.metrics import Meter, Progress
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import Batch, Causal
from training.optim import new_adamw
from training.parts import Parts
from training.precision import Precision

CONFIG = ModelConfig(40, 2, 32, 4, 2, 48, 16)


def uneven_rows(step: int) -> Rows:
    """Return 8 rows with between 1 and 16 real tokens, so that row means are not the batch's."""
    draw = np.random.default_rng(step)
    tokens = draw.integers(3, 40, (8, 17))
    tokens[:, 0] = range(3, 11)  # so that no two rows begin alike
    for row, length in enumerate(draw.integers(2, 18, 8)):
        tokens[row, length:] = PADDING
    return Rows(tokens, np.arange(8) + 8 * step)


def parts_of(**changes: object) -> Parts:
    model = new_model(CONFIG, 0)
    parts = Parts(
        model=model,
        optimizer=new_adamw(model, AdamWConfig(weight_decay=0.0)),
        objective=Causal(bos_id=1),
        rows=uneven_rows,
        learning_rate=lambda step: 3e-3,
        precision=Precision("float32", "asked for"),
        settings={"seed": 0},
    )
    return dataclasses.replace(parts, **changes)


def ignore(progress: Progress) -> None:
    pass


@pytest.mark.parametrize("terms", [PLAIN, LossTerms(label_smoothing=0.1, z_loss=1e-2)])
def test_micro_batches_of_any_size_give_the_gradient_of_the_whole(terms: LossTerms) -> None:
    found = {}
    for micro_batch_rows in (8, 4, 1, 3):
        parts = parts_of(objective=Causal(1, terms))
        batch = parts.objective.batch(uneven_rows(0))
        assert len({int((row >= 0).sum()) for row in batch.targets}) > 2
        plan = Plan(num_steps=1, micro_batch_rows=micro_batch_rows, clip_norm=1e9)
        loss, norm = gradients(parts, plan, batch)
        found[micro_batch_rows] = (
            float(loss),
            float(norm),
            torch.cat([p.grad.flatten() for p in parts.model.parameters() if p.grad is not None]),
        )
    whole = found.pop(8)
    assert whole[1] > 0.1
    assert len(found) == 3
    for loss, norm, gradient in found.values():
        assert loss == pytest.approx(whole[0], abs=1e-6)
        assert norm == pytest.approx(whole[1], rel=1e-5)
        torch.testing.assert_close(gradient, whole[2], rtol=0, atol=1e-6)


def test_the_gradient_is_clipped_to_the_norm() -> None:
    parts = parts_of()
    plan = Plan(num_steps=1, micro_batch_rows=8, clip_norm=0.01)
    _, before = gradients(parts, plan, parts.objective.batch(uneven_rows(0)))
    squares = sum(float(p.grad.square().sum()) for p in parts.model.parameters())
    assert before > 0.1
    assert squares**0.5 == pytest.approx(0.01, rel=1e-3)


def test_one_batch_is_learnt_by_heart(tmp_path: Path) -> None:
    seen: list[Progress] = []
    parts = parts_of(rows=lambda step: uneven_rows(0), bytes_per_token=2.0)
    train(parts, Plan(num_steps=120, micro_batch_rows=8), tmp_path, seen.append)
    assert [progress.step for progress in seen] == list(range(1, 121))
    assert seen[0].loss == pytest.approx(np.log(40), rel=0.03)
    assert seen[-1].loss < 0.05
    assert seen[0].bits_per_byte == pytest.approx(seen[0].loss / np.log(2) / 2)
    assert seen[-1].seconds_left == 0
    assert all(0 <= progress.waiting_ratio < 1 for progress in seen)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(10, 121, 10))
    assert lines[-1]["loss"] == seen[-1].loss


def test_evaluation_happens_where_due_and_at_the_end(tmp_path: Path) -> None:
    modes: list[bool] = []
    parts = parts_of()

    def evaluate() -> dict[str, float]:
        modes.append(parts.model.training)
        return {"score": float(len(modes))}

    parts = dataclasses.replace(parts, evaluate=evaluate)
    seen: list[Progress] = []
    plan = Plan(num_steps=5, micro_batch_rows=8, evaluate_every_steps=2, log_every_steps=100)
    train(parts, plan, tmp_path, seen.append)
    assert [dict(p.scores) for p in seen] == [{}, {"score": 1}, {}, {"score": 2}, {"score": 3}]
    assert modes == [False] * 3
    assert parts.model.training
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_loss_stops_with_step_and_rows(tmp_path: Path, bad: float) -> None:
    parts = parts_of()

    def break_it(progress: Progress) -> None:
        if progress.step == 3:
            with torch.no_grad():
                parts.model.blocks[0].attention.output.weight[0, 0] = bad

    plan = Plan(num_steps=9, micro_batch_rows=4, checkpoint_every_steps=2)
    with pytest.raises(NotFinite, match=r"step 3 has loss nan .* rows \[24, 25, 26, 27, 28, 29"):
        train(parts, plan, tmp_path, break_it)
    names = [path.name for path in (tmp_path / CHECKPOINTS).iterdir()]
    assert names == ["step-00000002"]
    again = parts_of()  # what was saved before is whole, and goes on
    trained = train(again, plan, tmp_path, ignore)
    assert trained.resumed_from_step == 2
    assert trained.checkpoint.name == "step-00000009"


@dataclass(frozen=True)
class BreaksAt:
    """The causal objective, but that the loss of one step's rows is no number."""

    first_token: int
    causal: Causal

    def batch(self, rows: Rows) -> Batch:
        return self.causal.batch(rows)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        loss = self.causal.loss_sum(model, batch)
        return loss * float("nan") if int(batch.tokens_BT[0, 0]) == self.first_token else loss


def numbered_rows(step: int) -> Rows:
    rows = uneven_rows(step)
    rows.tokens_BS[:, 0] = 3 + step
    return rows


def test_steps_read_late_give_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(11, 4, checkpoint_every_steps=7, evaluate_every_steps=5, log_every_steps=4)
    waits = []
    found = {}
    read_values = loop.read_values

    def noted(begun: Sequence[Begun], meter: Meter) -> list[list[float]]:
        waits.append([step.step + 1 for step in begun])
        return read_values(begun, meter)

    monkeypatch.setattr(loop, "read_values", noted)
    for unread in (1, 3, 16):
        monkeypatch.setattr(loop, "UNREAD_STEPS", {"cpu": unread})
        seen: list[Progress] = []
        parts = parts_of()
        parts = dataclasses.replace(parts, evaluate=lambda p=parts: {"sum": weights_sum(p)})
        train(parts, plan, tmp_path / str(unread), seen.append)
        lines = (tmp_path / str(unread) / METRICS).read_text().splitlines()
        found[unread] = (
            [(p.step, p.loss, p.gradient_norm, p.learning_rate, dict(p.scores)) for p in seen],
            [(line["step"], line["loss"], line["scores"]) for line in map(json.loads, lines)],
            {p.name: (p / MODEL).read_bytes() for p in (tmp_path / str(unread)).glob("*/step-*")},
        )
    assert found[1] == found[3] == found[16]
    assert [p[0] for p in found[1][0]] == list(range(1, 12))
    assert sorted(found[1][2]) == ["step-00000007", "step-00000011"]
    assert waits[:11] == [[n] for n in range(1, 12)]
    assert waits[11:-6] == [[1, 2, 3], [4], [5], [6, 7], [8], [9, 10], [11]]
    assert waits[-6:] == [[1, 2, 3, 4], [5], [6, 7], [8], [9, 10], [11]]


def weights_sum(parts: Parts) -> float:
    return float(sum(p.detach().double().sum() for p in parts.model.parameters()))


@pytest.mark.parametrize("unread", [1, 16])
def test_a_loss_that_breaks_unread_is_still_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: int
) -> None:
    monkeypatch.setattr(loop, "UNREAD_STEPS", {"cpu": unread})
    parts = parts_of(rows=numbered_rows, objective=BreaksAt(3 + 4, Causal(bos_id=1)))
    plan = Plan(num_steps=12, micro_batch_rows=8, checkpoint_every_steps=3, log_every_steps=100)
    seen: list[Progress] = []
    with pytest.raises(NotFinite, match=r"step 4 has loss nan .* rows \[32, 33, 34, 35"):
        train(parts, plan, tmp_path, seen.append)
    assert [p.step for p in seen] == ([1, 2, 3, 4] if unread == 1 else [1, 2, 3])
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["step-00000003"]


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    plan = Plan(num_steps=2, micro_batch_rows=8)
    train(parts_of(), plan, tmp_path, ignore)
    with pytest.raises(UsageError, match=r"was trained with seed = 0, not 1; use another folder"):
        train(parts_of(settings={"seed": 1}), plan, tmp_path, ignore)


def test_a_finished_run_is_not_done_again(tmp_path: Path) -> None:
    plan = Plan(num_steps=3, micro_batch_rows=8)
    first = train(parts_of(), plan, tmp_path, ignore)
    metrics = (tmp_path / METRICS).read_bytes()
    seen: list[Progress] = []
    again = train(parts_of(), plan, tmp_path, seen.append)
    assert seen == []
    assert again.resumed_from_step == 3
    assert again.checkpoint == first.checkpoint
    assert (tmp_path / METRICS).read_bytes() == metrics


def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path: Path) -> None:
    plan = Plan(num_steps=4, micro_batch_rows=8, checkpoint_every_steps=2)
    straight = parts_of()
    first = train(straight, plan, tmp_path, ignore)
    (first.checkpoint / MODEL).write_bytes(b"damaged")
    parts = parts_of()
    again = train(parts, plan, tmp_path, ignore)
    assert again.resumed_from_step == 2
    (told,) = again.damaged_checkpoints
    assert f"{MODEL} of checkpoint {first.checkpoint} is not what was written" in told
    assert all(map(torch.equal, straight.model.parameters(), parts.model.parameters()))
    for folder in (tmp_path / CHECKPOINTS).iterdir():
        (folder / MODEL).write_bytes(b"damaged")
    with pytest.raises(Damaged, match="is whole"):
        train(parts_of(), plan, tmp_path, ignore)


def test_what_is_drawn_is_of_the_seed_the_step_and_the_rank_alone() -> None:
    def drawn(seed: int, step: int, rank: int) -> tuple[float, ...]:
        seed_generators(seed, step, rank)
        return tuple(torch.rand(4).tolist())

    cases = [
        (seed, step, rank) for seed in (0, 1, 2**63 - 1) for step in (0, 1, 11) for rank in (0, 1)
    ]
    first = {case: drawn(*case) for case in cases}
    assert len(set(first.values())) == len(cases) == 18
    assert first == {case: drawn(*case) for case in reversed(cases)}


def scored_by_step(best_step: int) -> Parts:
    """Return parts whose score is best after some step, and that keep the best checkpoint."""
    begun: list[int] = []

    def rows(step: int) -> Rows:
        begun.append(step)
        return uneven_rows(step)

    def evaluate() -> dict[str, float]:
        return {"distance": abs(begun[-1] + 1 - best_step)}

    return parts_of(rows=rows, evaluate=evaluate, score="distance")


class Stopped(Exception):
    """The run was stopped."""


def stop_at_7(progress: Progress) -> None:
    if progress.step == 7:
        raise Stopped


BEST_PLAN = Plan(12, 8, checkpoint_every_steps=4, evaluate_every_steps=2, choose_checkpoint="best")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", [MODEL, "state.json"])
def test_a_damaged_best_checkpoint_is_found_again(tmp_path: Path, name: str) -> None:
    straight = train(scored_by_step(6), BEST_PLAN, tmp_path / "straight", ignore)
    assert straight.best is not None
    assert straight.best.name == "step-00000006"
    with pytest.raises(Stopped):
        train(scored_by_step(6), BEST_PLAN, tmp_path / "run", stop_at_7)
    (tmp_path / "run" / CHECKPOINTS / straight.best.name / name).write_bytes(b"damaged")
    again = train(scored_by_step(6), BEST_PLAN, tmp_path / "run", ignore)
    assert again.resumed_from_step == 4
    assert len(again.damaged_checkpoints) == 1
    assert again.best is not None
    assert (again.best / MODEL).read_bytes() == (straight.best / MODEL).read_bytes()


def test_a_run_that_has_lost_its_best_checkpoint_goes_back_before_it(tmp_path: Path) -> None:
    plan = dataclasses.replace(BEST_PLAN, keep_checkpoints=9)
    straight = train(scored_by_step(6), plan, tmp_path, ignore)
    assert straight.best is not None
    weights = (straight.best / MODEL).read_bytes()
    flip(straight.best / MODEL)
    again = train(scored_by_step(6), plan, tmp_path, ignore)
    assert again.resumed_from_step == 4
    places = zip((12, 8, 6), again.damaged_checkpoints, strict=True)
    assert all(f"step-{step:08d}" in told for step, told in places)
    assert again.best == straight.best
    assert (straight.best / MODEL).read_bytes() == weights
    flip(straight.best / MODEL)
    last = dataclasses.replace(plan, choose_checkpoint="last")  # has no need of it
    assert train(scored_by_step(6), last, tmp_path, ignore).resumed_from_step == 12
    shutil.rmtree(tmp_path / CHECKPOINTS / "step-00000004")
    shutil.rmtree(tmp_path / CHECKPOINTS / "step-00000002")
    with pytest.raises(Damaged, match=r"delete it to start again: .* lost the best before it"):
        train(scored_by_step(6), plan, tmp_path, ignore)


@pytest.mark.parametrize(
    "wrong", [{"num_steps": 0}, {"micro_batch_rows": 0}, {"evaluate_every_steps": 0}]
)
def test_an_impossible_plan_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is 0; give a number above 0"):
        Plan(**{"num_steps": 1, "micro_batch_rows": 1, **wrong})
