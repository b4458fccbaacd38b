"""The one training loop: read rows, accumulate, clip, step, evaluate, checkpoint, report.

Pre-training and fine-tuning give it different parts and share every line of it. It goes on from
the newest whole checkpoint of its folder, and ends with the same bits as if it had never stopped.
Where training breaks, the guard decides how it goes on (`training.guard`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_contracts.errors import Damaged, MillraceError, UsageError
from training.checkpoint import (
    Best,
    Checkpoint,
    checkpoint_folder,
    newest_checkpoint,
    remove_later,
    resume,
    save_checkpoint,
)
from training.config import Plan
from training.guard import (
    GuardState,
    Incident,
    Trouble,
    incident_of,
    state_of,
    step_to_go_back_to,
    trouble_of,
)
from training.learning import Begun, begin_step, read_values
from training.metrics import Meter, MetricsFile, Progress, bits_per_byte
from training.parts import Parts
from training.rates import memory_bytes

METRICS = "metrics.jsonl"
INCIDENTS = "guard.jsonl"
CHECKPOINTS = "checkpoints"
UNREAD_STEPS = {"cpu": 1, "cuda": 16}  # at most so many run before their losses are looked at

OnProgress = Callable[[Progress], None]


class NotFinite(MillraceError):
    """The loss or its gradient is no number any more, or jumps; the last checkpoint is whole."""


@dataclass(frozen=True)
class Trained:
    """How a run ended: where, after how many steps of this session, and what it met on the way.

    ``best`` is the folder of the checkpoint with the best score, None where nothing was scored.
    """

    checkpoint: Path
    resumed_from_step: int
    num_parameters: int
    tokens_per_second: float
    waiting_ratio: float
    damaged_checkpoints: tuple[str, ...]
    incidents: tuple[Incident, ...] = ()
    best: Path | None = None


@dataclass
class Session:
    """A run between two steps: steps done, what its guard knows, what it writes and measures.

    ``best`` is known to the rank that evaluates; ``damaged`` are the checkpoints passed over.
    """

    parts: Parts
    plan: Plan
    folder: Path
    step: int
    guard: GuardState
    metrics: MetricsFile
    best: Best | None = None
    damaged: tuple[str, ...] = ()
    meter: Meter = field(default_factory=Meter)


def train(parts: Parts, plan: Plan, folder: Path, on_progress: OnProgress) -> Trained:
    """Train to the end of the plan, from the newest whole checkpoint under ``folder``.

    Writes ``checkpoints/``, ``metrics.jsonl`` and, of what the guard did, ``guard.jsonl`` there.
    Raises `NotFinite` with the step and its row numbers where training breaks and the guard gives
    up, UsageError if the folder holds a run with other settings, and Damaged if none of its
    checkpoints is whole.
    """
    session = open_session(parts, plan, folder)
    resumed_from_step = session.step
    parts.model.train()
    begun: list[Begun] = []
    while session.step < plan.num_steps:
        position = session.guard.position(session.step)
        begun.append(begin_step(parts, session.step, position, plan, session.meter))
        session.step += 1
        if must_be_read(parts, plan, begun):
            read_and_record(session, begun, on_progress)
            begun = []
    parts.ranks.wait()  # the last checkpoint is there
    return Trained(
        checkpoint=checkpoint_folder(folder / CHECKPOINTS, plan.num_steps),
        resumed_from_step=resumed_from_step,
        num_parameters=sum(parameter.numel() for parameter in parts.model.parameters()),
        tokens_per_second=session.meter.tokens_per_second,
        waiting_ratio=session.meter.waiting_ratio,
        damaged_checkpoints=session.damaged,
        incidents=session.guard.incidents,
        best=checkpoint_folder(folder / CHECKPOINTS, session.best.step) if session.best else None,
    )


def open_session(parts: Parts, plan: Plan, folder: Path) -> Session:
    """Return the run of a folder as its newest checkpoint left it.

    A new run that may have to go back begins with a checkpoint of step 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = restore(parts, plan, folder / CHECKPOINTS)
    parts.ranks.wait()  # all have looked before one writes
    step, guard = (found.step, state_of(found.carried)) if found else (0, GuardState())
    session = Session(parts, plan, folder, step, guard, new_metrics(parts, folder, step))
    if found:
        session.best, session.damaged = found.best, found.damaged
    write_incidents(session)
    if found is None and plan.guard is not None:
        save(session)
    return session


def new_metrics(parts: Parts, folder: Path, steps_done: int) -> MetricsFile:
    """Return the metrics file of a folder, without what was written after these steps."""
    return MetricsFile(folder / METRICS, steps_done, parts.ranks.is_first)


def read_and_record(session: Session, begun: Sequence[Begun], on_progress: OnProgress) -> None:
    """Wait for steps; write and show what they came to, or go back if one of them is broken.

    No line or checkpoint is written of weights that a broken step has changed.
    """
    parts, plan = session.parts, session.plan
    values, guard = read_values(begun, session.meter), session.guard
    for step, (loss, norm) in zip(begun, values, strict=True):
        if trouble := trouble_of(step.step, loss, norm, guard, plan.guard):
            go_back(session, trouble, step.row_ids_B.tolist())
            return
        guard = guard.after(loss, plan.guard.window_steps) if plan.guard else guard
    session.guard = guard
    if not parts.ranks.is_first:
        return
    for step, (loss, norm) in zip(begun, values, strict=True):
        progress = progress_after(session, step, loss, norm)
        record(session, progress)
        on_progress(progress)


def go_back(session: Session, trouble: Trouble, row_ids: Sequence[int]) -> None:
    """Go back and on without the data around a broken step; or raise NotFinite.

    The newest checkpoint up to the step to go back to is taken; from there to that step the run
    does what it has done before. If a kill comes before the next checkpoint, the same trouble is
    met, and dealt with alike. Raises Damaged if there is no such checkpoint any more.
    """
    config, incidents = session.plan.guard, session.guard.incidents
    if config is None or len(incidents) >= config.max_incidents:
        after = f", after going back {len(incidents)} times (guard.jsonl)" if incidents else ""
        raise NotFinite(
            f"{trouble} on rows {row_ids}{after}; look at these rows, or lower the learning rate"
        )
    session.parts.ranks.wait()  # what the first one writes is written
    incident = incident_of(trouble, row_ids, session.guard, config)
    found = restore_up_to(session, incident.back_to_step)
    losses = state_of(found.carried).losses
    session.step, session.guard = found.step, GuardState(losses, (*incidents, incident))
    session.best, session.damaged = found.best, (*session.damaged, *found.damaged)
    session.metrics = new_metrics(session.parts, session.folder, found.step)
    session.parts.model.train()
    write_incidents(session)


def restore_up_to(session: Session, step: int) -> Checkpoint:
    """Go back to the newest checkpoint up to a step and return it; those after it are deleted.

    Raises Damaged if there is none.
    """
    root = session.folder / CHECKPOINTS
    found = restore(session.parts, session.plan, root, step)
    session.parts.ranks.wait()
    if found is None:
        raise Damaged(
            f"training broke, and {root} has no checkpoint up to step {step} to go back to; delete "
            f"{session.folder} to train again"
        )
    if session.parts.ranks.is_first:
        remove_later(root, found.step)
    return found


def write_incidents(session: Session) -> None:
    """Write ``guard.jsonl``, a line for each incident; a run without any has none."""
    path = session.folder / INCIDENTS
    if session.parts.ranks.is_first and (session.guard.incidents or path.exists()):
        lines = (json.dumps(asdict(incident)) + "\n" for incident in session.guard.incidents)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text("".join(lines))
        fresh.replace(path)


def record(session: Session, progress: Progress) -> None:
    """Write down what is due after a step: its line of metrics, its checkpoint."""
    plan = session.plan
    last = progress.step == plan.num_steps
    if due(progress.step, plan.log_every_steps) or progress.scores or last:
        session.metrics.add(progress)
    better = is_best(session, progress)
    if due(progress.step, plan.checkpoint_every_steps) or last or better:
        save(session)


def is_best(session: Session, progress: Progress) -> bool:
    """Tell whether a score is better than all before it, and note it if so."""
    score = progress.scores.get(session.parts.score or "")
    if score is None or (session.best is not None and score >= session.best.score):
        return False
    session.best = Best(progress.step, score)
    return True


def must_be_read(parts: Parts, plan: Plan, begun: Sequence[Begun]) -> bool:
    """Tell whether something is due after the last of these steps, or they are too many."""
    done = begun[-1].step + 1
    return (
        len(begun) >= UNREAD_STEPS[parts.device.type]
        or done == plan.num_steps
        or due(done, plan.log_every_steps)
        or due(done, plan.checkpoint_every_steps)
        or due(done, plan.evaluate_every_steps)
    )


def progress_after(session: Session, step: Begun, loss: float, norm: float) -> Progress:
    """Return what is known after a step; evaluates where that is due."""
    parts, plan, meter = session.parts, session.plan, session.meter
    rate = meter.tokens_per_second
    scores, sample = seen_after(parts, plan, step.step + 1)
    return Progress(
        step=step.step + 1,
        num_steps=plan.num_steps,
        loss=loss,
        bits_per_byte=bits_of(loss, parts.bytes_per_token),
        learning_rate=step.learning_rate,
        gradient_norm=norm,
        tokens_per_second=rate,
        seconds_left=meter.seconds_left(plan.num_steps - step.step - 1),
        waiting_ratio=meter.waiting_ratio,
        scores=scores,
        num_incidents=len(session.guard.incidents),
        mfu=parts.utilisation(rate) if parts.utilisation else None,
        memory_bytes=memory_bytes(parts.device),
        sample=sample,
    )


def bits_of(loss: float, bytes_per_token: float | None) -> float | None:
    """Return the bits per byte of a loss in nats a token; None where targets are no tokens."""
    return None if bytes_per_token is None else bits_per_byte(loss, bytes_per_token)


def seen_after(parts: Parts, plan: Plan, step: int) -> tuple[Mapping[str, float], str | None]:
    """Return scores and a sample of the model after a step, or nothing where none are due."""
    if step != plan.num_steps and not due(step, plan.evaluate_every_steps):
        return {}, None
    parts.model.eval()
    try:
        scores = parts.evaluate() if parts.evaluate else {}
        return scores, parts.write_sample() if parts.write_sample else None
    finally:
        parts.model.train()


def due(step: int, every_steps: int | None) -> bool:
    """Tell whether something that happens every so many steps happens after this one."""
    return every_steps is not None and step % every_steps == 0


def save(session: Session) -> None:
    """Write the checkpoint of the steps done; of several ranks only the first one does."""
    if not session.parts.ranks.is_first:
        return
    save_checkpoint(
        session.folder / CHECKPOINTS,
        session.step,
        session.parts.model,
        session.parts.optimizer,
        session.parts.settings,
        session.plan.keep_checkpoints,
        session.guard.plain(),
        session.best,
        session.parts.lineage,
        step_to_keep(session),
    )


def step_to_keep(session: Session) -> int | None:
    """Return the step that the run would go back to; None if it never will."""
    guard, step = session.plan.guard, session.step
    return (
        None if guard is None or step == session.plan.num_steps else step_to_go_back_to(step, guard)
    )


def restore(
    parts: Parts, plan: Plan, root: Path, up_to_step: int | None = None
) -> Checkpoint | None:
    """Go back to the newest checkpoint of use and return it; None where there is none.

    Raises UsageError if it was trained with other settings, naming the first that differs.
    """
    found = newest_checkpoint(root, plan.choose_checkpoint == "best", up_to_step)
    if found is None:
        return None
    ours, theirs = dict(parts.settings), dict(found.settings)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise UsageError(
                f"{found.folder} was trained with {name} = {theirs.get(name)!r}, not "
                f"{ours.get(name)!r}; use another folder, or the settings it began with"
            )
    resume(found, parts.model, parts.optimizer)
    return found
