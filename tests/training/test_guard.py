"""The guard: broken rows are left out, for ever and by name; a kill on the way changes no bit."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from data_contracts.errors import Damaged, UsageError
from training.checkpoint import MODEL, OPTIMIZER, read_checkpoint, read_state, sealed
from training.config import AdamWConfig, GuardConfig, Plan
from training.guard import (
    GuardState,
    Incident,
    Trouble,
    incident_of,
    merged,
    robust_z,
    state_of,
    trouble_of,
)
from training.loader import Rows
from training.loop import CHECKPOINTS, INCIDENTS, METRICS, NotFinite, Trained, train
from training.metrics import Progress, read_metrics
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import Batch, Causal
from training.optim import new_adamw
from training.parts import Parts
from training.precision import Precision

ROOT = Path(__file__).resolve().parents[2]
GUARD = GuardConfig(window_steps=6, max_z=12.0, skip_steps=2, spacing_steps=5, max_incidents=3)
PLAN = Plan(
    20, 4, checkpoint_every_steps=5, keep_checkpoints=9, log_every_steps=1, guard=GUARD
)  # checkpoints at 0, 5, 10, …


def numbered_rows(position: int) -> Rows:
    """Return 4 rows whose first tokens tell the position, to 30."""
    tokens = np.random.default_rng(position).integers(3, 9, (4, 17))
    tokens[:, 0] = 9 + position
    return Rows(tokens, np.arange(4) + 4 * position)


@dataclass(frozen=True)
class Planted:
    """The causal objective, but that some positions' losses are changed, in what is seen of them.

    ``factors`` multiply the losses of positions; the gradients with them.
    """

    factors: dict[int, float]
    causal: Causal = field(default_factory=lambda: Causal(bos_id=1))

    def batch(self, rows: Rows) -> Batch:
        return self.causal.batch(rows)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        position = int(batch.tokens_BT[0, 0]) - 9
        return self.causal.loss_sum(model, batch) * self.factors.get(position, 1.0)


def parts_of(factors: dict[int, float], read: list[int] | None = None) -> Parts:
    torch.manual_seed(0)
    model = new_model(ModelConfig(50, 1, 16, 2, 1, 32, 16), 0)

    def rows(position: int) -> Rows:
        if read is not None:
            read.append(position)
        return numbered_rows(position)

    return Parts(
        model=model,
        optimizer=new_adamw(model, AdamWConfig(weight_decay=0.1)),
        objective=Planted(factors),
        rows=rows,
        learning_rate=lambda step: 1e-3 * (step + 1),
        precision=Precision("float32", "asked for"),
        settings={"seed": 0},
    )


def ignore(progress: Progress) -> None:
    pass


def weights(trained: Trained) -> bytes:
    return (trained.checkpoint / MODEL).read_bytes()


def straight_over(positions: list[int], folder: Path) -> bytes:
    """Return the weights of a run that was never broken and read these positions."""
    parts = parts_of({})
    parts = dataclasses.replace(parts, rows=lambda step: numbered_rows(positions[step]))
    return weights(train(parts, dataclasses.replace(PLAN, guard=None), folder, ignore))


@pytest.mark.parametrize(
    ("factor", "cause"),
    [(float("nan"), "loss_not_finite"), (float("inf"), "loss_not_finite"), (50.0, "loss_spike")],
)
def test_broken_rows_are_left_out_and_named(tmp_path: Path, factor: float, cause: str) -> None:
    read: list[int] = []
    seen: list[Progress] = []
    trained = train(parts_of({8: factor}, read), PLAN, tmp_path / "run", seen.append)
    assert read == [*range(9), 5, 6, *range(9, 22)]  # broken at 8, back to 5, without 7 and 8
    used = [*range(7), *range(9, 22)]
    assert weights(trained) == straight_over(used, tmp_path / "straight")
    (line,) = (tmp_path / "run" / INCIDENTS).read_text().splitlines()
    written = json.loads(line)
    assert (written["step"], written["position"], written["cause"]) == (8, 8, cause)
    assert written["row_ids"] == [32, 33, 34, 35]
    assert (written["back_to_step"], written["skipped_from"], written["skipped_until"]) == (5, 7, 9)
    assert state_of({"incidents": [written]}).incidents == trained.incidents
    steps = [line["step"] for line in read_metrics(tmp_path / "run" / METRICS)]
    assert steps == list(range(1, 21))
    assert [p.step for p in seen] == [*range(1, 9), *range(6, 21)]
    assert [p.num_incidents for p in seen] == [0] * 8 + [1] * 15


@dataclass
class Scores:
    """Held-out scores that are, one after the other, better than all before, or never."""

    better: bool
    given: int = 0

    def __call__(self) -> dict[str, float]:
        self.given += 1
        return {"score": -self.given if self.better else self.given}


@pytest.mark.parametrize("every_steps", [1, 3, 7, 100])
@pytest.mark.parametrize("better", [True, False])
def test_when_checkpoints_are_written_changes_no_weight(
    tmp_path: Path, every_steps: int, better: bool
) -> None:
    usual = train(parts_of(PLANTED), PLAN, tmp_path / "usual", ignore)
    plan = dataclasses.replace(
        PLAN, checkpoint_every_steps=every_steps, keep_checkpoints=1, evaluate_every_steps=4
    )
    parts = dataclasses.replace(parts_of(PLANTED), evaluate=Scores(better), score="score")
    other = train(parts, plan, tmp_path / "other", ignore)
    assert [incident.back_to_step for incident in usual.incidents] == [5, 10, 10]
    assert other.incidents == usual.incidents
    assert weights(other) == weights(usual)
    losses = [
        [
            (line["step"], line["loss"], line["gradient_norm"])
            for line in read_metrics(root / METRICS)
        ]
        for root in (tmp_path / "usual", tmp_path / "other")
    ]
    assert losses[0] == losses[1]


def test_without_a_checkpoint_to_go_back_to_it_ends(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, checkpoint_every_steps=7)
    with pytest.raises(NotFinite):
        train(parts_of(dict.fromkeys(range(7, 30), float("nan"))), plan, tmp_path, ignore)
    (left,) = (tmp_path / CHECKPOINTS).iterdir()
    left.rename(left.with_name("step-00000006"))
    (tmp_path / CHECKPOINTS / "step-00000006" / "state.json").write_bytes(
        sealed({**read_state(tmp_path / CHECKPOINTS / "step-00000006" / "state.json"), "step": 6})
    )
    with pytest.raises(Damaged, match="has no checkpoint up to step 5 to go back to; delete"):
        train(parts_of({8: float("nan")}), plan, tmp_path, ignore)


def test_a_gradient_that_is_no_number_is_a_cause_of_its_own() -> None:
    trouble = trouble_of(3, 1.0, float("inf"), GuardState(), None)
    assert trouble == Trouble(3, "gradient_not_finite", 1.0, float("inf"))
    assert trouble_of(3, 1.0, 1e9, GuardState(), None) is None


def test_it_goes_back_to_the_beginning_where_there_is_nothing_later(tmp_path: Path) -> None:
    trained = train(parts_of({0: float("nan"), 2: float("nan")}), PLAN, tmp_path / "run", ignore)
    assert [(i.back_to_step, i.skipped_from, i.skipped_until) for i in trained.incidents] == [
        (0, 0, 1),
        (0, 1, 3),
    ]
    assert weights(trained) == straight_over(list(range(3, 23)), tmp_path / "straight")


def test_it_gives_up_and_says_so(tmp_path: Path) -> None:
    factors = dict.fromkeys(range(7, 30), float("nan"))
    with pytest.raises(NotFinite, match=r"step 5 has loss nan .* after going back 3 times"):
        train(parts_of(factors), PLAN, tmp_path, ignore)
    assert len((tmp_path / INCIDENTS).read_text().splitlines()) == 3
    names = sorted(path.name for path in (tmp_path / CHECKPOINTS).iterdir())
    assert names == ["step-00000000", "step-00000005"]
    repaired = train(parts_of({}), PLAN, tmp_path, ignore)  # the cause was no row's: it goes on
    assert (repaired.resumed_from_step, repaired.incidents) == (5, ())
    assert (tmp_path / INCIDENTS).read_text() == ""


def test_without_a_guard_it_stops_at_once(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, guard=None)
    train(parts_of({8: 50.0}), plan, tmp_path / "spike", ignore)
    with pytest.raises(NotFinite, match=r"step 8 has loss nan .* rows \[32, 33, 34, 35\]; look"):
        train(parts_of({8: float("nan")}), plan, tmp_path / "nan", ignore)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import torch
torch.set_num_threads(1)
import test_guard as tests
import training.loop as loop
kind, _, number = sys.argv[4].partition(" ")
left = [int(number)]
def dying(function, kind_here):
    def call(*arguments):
        done = function(*arguments)
        if kind == kind_here:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call
loop.save = dying(loop.save, "saved")
loop.write_incidents = dying(loop.write_incidents, "wrote")
loop.begin_step = dying(loop.begin_step, "began")
tests.train(tests.parts_of(tests.PLANTED), tests.PLAN, Path(sys.argv[3]), tests.ignore)
"""
PLANTED = {8: float("nan"), 13: 50.0, 14: float("nan")}


@pytest.mark.parametrize(
    "kills",
    [
        ["wrote 2"],  # having gone back
        pytest.param(["began 9", "wrote 2", "began 5"], marks=pytest.mark.slow),
        pytest.param(["saved 3", "wrote 3"], marks=pytest.mark.slow),
    ],
)
def test_killed_on_the_way_it_ends_with_the_same_bits(tmp_path: Path, kills: list[str]) -> None:
    calm = train(parts_of(PLANTED), PLAN, tmp_path / "calm", ignore)
    assert [incident.position for incident in calm.incidents] == [8, 13, 14]
    folder = tmp_path / "killed"
    for kill in kills:
        words = [str(ROOT), str(Path(__file__).parent), str(folder), kill]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *words], capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, (kill, done.stderr)
    again = train(parts_of(PLANTED), PLAN, folder, ignore)
    assert again.incidents == calm.incidents
    assert weights(again) == weights(calm)
    ours, theirs = (read_checkpoint(run.checkpoint) for run in (again, calm))
    assert (ours.step, ours.carried) == (theirs.step, theirs.carried)
    moments = [load_file(run.checkpoint / OPTIMIZER) for run in (again, calm)]
    assert len(moments[0]) >= 20
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(moments[0][name], moments[1][name]) for name in moments[0])
    assert (folder / INCIDENTS).read_bytes() == (tmp_path / "calm" / INCIDENTS).read_bytes()
    curves = [read_metrics(root / METRICS) for root in (folder, tmp_path / "calm")]
    assert [line["loss"] for line in curves[0]] == [line["loss"] for line in curves[1]]


def test_a_state_goes_through_json() -> None:
    incident = Incident(8, "loss_spike", 9.0, None, 13.5, 8, (1, 2), 5, 7, 9)
    state = GuardState((0.1, 1 / 3), (incident,))
    assert state_of(json.loads(json.dumps(state.plain()))) == state
    assert state_of({}) == GuardState()


def test_robust_z_is_that_of_its_definition() -> None:
    draw = np.random.default_rng(0)
    checked = 0
    for _ in range(50):
        before = draw.normal(3, draw.uniform(0.1, 1), draw.integers(1, 70)).tolist()
        value = float(draw.normal(3, 2))
        median = np.median(before)
        spread = 1.4826 * np.median(np.abs(np.array(before) - median))
        expected = (value - median) / max(spread, 0.02 * abs(median))
        assert robust_z(value, before) == pytest.approx(expected)
        checked += spread > 0.02 * abs(median)
    assert checked > 20
    assert robust_z(2.0, [1.0] * 9) == pytest.approx(50)
    assert robust_z(0.0, [0.0]) == 0


def test_only_a_full_window_judges() -> None:
    state = GuardState((1.0,) * 5)
    assert trouble_of(5, 90.0, 1.0, state, GUARD) is None
    state = state.after(1.0, 6)
    trouble = trouble_of(6, 90.0, 1.0, state, GUARD)
    assert trouble is not None
    assert trouble.cause == "loss_spike"
    assert trouble_of(6, 0.0, 1.0, state, GUARD) is None  # falling is no spike
    assert len(state.after(1.0, 6).losses) == 6


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1, max_size=5))
def test_positions_leave_out_what_is_skipped_and_nothing_else(draws: list[tuple[int, int]]) -> None:
    state = GuardState()
    skipped: set[int] = set()
    for step, back in draws:
        trouble = Trouble(step, "loss_not_finite", float("nan"), 1.0)
        config = GuardConfig(skip_steps=4, spacing_steps=back)
        incident = incident_of(trouble, [1], state, config)
        assert incident.back_to_step % back == 0
        assert step - back < incident.back_to_step <= step
        assert incident.position == state.position(step)
        assert incident.skipped_from < incident.skipped_until == incident.position + 1
        state = GuardState((), (*state.incidents, incident))
        skipped |= set(range(incident.skipped_from, incident.skipped_until))
    positions = [state.position(step) for step in range(80)]
    assert positions == [p for p in range(200) if p not in skipped][:80]
    assert skipped


def test_ranges_are_merged() -> None:
    assert merged([(5, 7), (1, 3), (3, 4), (6, 9)]) == [(1, 4), (5, 9)]


@pytest.mark.parametrize(
    "make",
    [lambda: GuardConfig(window_steps=0), lambda: GuardConfig(max_z=float("nan"))],
)
def test_an_impossible_guard_is_refused(make: Callable[[], GuardConfig]) -> None:
    with pytest.raises(UsageError, match="give a number above 0"):
        make()
    with pytest.raises(UsageError, match="max_incidents is -1; give 0 or more"):
        GuardConfig(max_incidents=-1)


def test_steps_read_late_go_back_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import loop

    found = []
    for unread in (1, 16):
        monkeypatch.setattr(loop, "UNREAD_STEPS", {"cpu": unread})
        plan = dataclasses.replace(PLAN, log_every_steps=7)
        trained = train(parts_of(PLANTED), plan, tmp_path / str(unread), ignore)
        found.append((weights(trained), trained.incidents))
    assert found[0] == found[1]
    assert len(found[0][1]) == 3
    assert torch.get_num_threads() == 1
