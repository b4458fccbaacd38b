"""Fine-tuning, assembled: labelled documents and a pre-trained model in, two judged arms out.

The pre-trained model and its twin with fresh weights go through the same search of the same
schedules on the same documents; what differs between them is what pre-training gave. Each run has
its folder under the work folder, and is done once, see `training.finetune_run`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data_contracts.labels import PREDICTIONS
from training.checkpoint import file_digest
from training.finetune_config import FinetuneConfig
from training.finetune_run import Run, RunResult, Task, load_classifier, predict, run_once
from training.labelled import Documents, read_labelled
from training.loop import NotFinite
from training.model_config import ModelConfig
from training.precision import threads
from training.search import Trial, TrialScore, choose, grid

JUDGED = ("dev", "test")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Arm:
    """One arm's search and final runs: scores of all trials, the chosen one, a run for each seed.

    ``seconds`` and ``tokens_per_second`` are of this session; the latter is 0 if all was there.
    """

    name: str
    scores: tuple[TrialScore, ...]
    chosen: TrialScore
    runs: tuple[RunResult, ...]
    seconds: float
    tokens_per_second: float

    @property
    def trial(self) -> Trial:
        """The chosen schedule."""
        return self.chosen.trial


@dataclass(frozen=True)
class FinetuneResult:
    """Predictions (`data_contracts.labels.PREDICTIONS`), the arms by name, and the task's facts.

    ``batch_rows`` is the most documents that a step read.
    """

    predictions: pa.Table
    arms: Mapping[str, Arm]
    class_names: tuple[str, ...]
    num_train: int
    num_cut: int
    batch_rows: int


def finetune(
    config: FinetuneConfig,
    table: pa.Table,
    shape: ModelConfig,
    weights: Path,
    work: Path,
    tell: Tell,
) -> FinetuneResult:
    """Search, choose and train both arms on a table of `data_contracts.labels.LABELLED`.

    ``weights`` is the file of the pre-trained decoder of that shape. Killed and called again with
    the same work folder, it ends with the same bits. Raises InputError before time is spent if the
    documents make no task, and NotFinite if every trial of an arm diverges, or a final run does.
    """
    labelled = read_labelled(table, shape.vocab_size, shape.context_tokens)
    task = Task(config, labelled, shape, weights, labelled.fingerprint(), file_digest(weights))
    if len(labelled.train) < config.batch_rows:
        tell(f"only {len(labelled.train)} train documents: a step reads them all")
    judged = both_arms(task, work, tell)
    return FinetuneResult(
        predictions=pa.concat_tables([predictions for _, predictions in judged]),
        arms={arm.name: arm for arm, _ in judged},
        class_names=labelled.class_names,
        num_train=len(labelled.train),
        num_cut=labelled.num_cut,
        batch_rows=min(config.batch_rows, len(labelled.train)),
    )


def both_arms(task: Task, work: Path, tell: Tell) -> list[tuple[Arm, pa.Table]]:
    """Return the arms with their predictions; on one thread each, they run side by side.

    That is faster than one after the other on two threads, and changes no bit. With dropout they
    take turns: it is drawn from the one generator that torch has.
    """
    config = task.config

    def judge(name: str) -> tuple[Arm, pa.Table]:
        with threads(config.num_threads):  # torch counts them for each thread that calls it
            arm = run_arm(task, name, work, tell)
            return arm, arm_predictions(task, arm)

    at_once = len(config.arms) if config.num_threads == 1 and not config.dropout_ratio else 1
    threads_of_all = threads(config.num_threads)  # the last to put back what was before
    with threads_of_all, ThreadPoolExecutor(at_once, thread_name_prefix="arm") as pool:
        return list(pool.map(judge, config.arms))


def run_arm(task: Task, name: str, work: Path, tell: Tell) -> Arm:
    """Return an arm after all its trials (seed 0) and the other seeds of the chosen schedule."""
    started = time.perf_counter()
    config = task.config
    trials = grid(config.learning_rates, config.epochs)
    tried = [one_trial(task, Run(name, trial, 0), len(trials), work, tell) for trial in trials]
    scores = tuple(result.score for result in tried)
    chosen = choose(scores, config.choose_by)
    if chosen is None:
        raise NotFinite(
            f"{name}: all {len(trials)} trials diverged, the first as {scores[0].diverged}; lower "
            "finetune.learning_rates"
        )
    others = [
        one_seed(task, Run(name, chosen.trial, seed), work, tell)
        for seed in range(1, config.num_seeds)
    ]
    spent = sum(result.seconds for result in [*tried, *others])
    num_tokens = sum(result.num_tokens for result in [*tried, *others])
    return Arm(
        name=name,
        scores=scores,
        chosen=chosen,
        runs=(tried[chosen.trial.number - 1], *others),
        seconds=time.perf_counter() - started,
        tokens_per_second=num_tokens / spent if spent else 0.0,
    )


def one_trial(task: Task, run: Run, num_trials: int, work: Path, tell: Tell) -> RunResult:
    """Do one trial and tell its score."""
    result = run_once(task, run, work / f"{run.arm}-trial-{run.trial.number:03d}")
    tell(f"{run.arm} trial {run.trial.number}/{num_trials}: {run.trial}: {outcome(task, result)}")
    return result


def one_seed(task: Task, run: Run, work: Path, tell: Tell) -> RunResult:
    """Do one final run; raises NotFinite if it diverges."""
    result = run_once(task, run, work / f"{run.arm}-seed-{run.seed}")
    if result.score.diverged:
        raise NotFinite(f"{run.arm}, seed {run.seed}, {run.trial}: {result.score.diverged}")
    last = task.config.num_seeds - 1
    tell(f"{run.arm} seed {run.seed}/{last}: {run.trial}: {outcome(task, result)}")
    return result


def outcome(task: Task, result: RunResult) -> str:
    """Return how a run ended, for a person."""
    if result.score.diverged:
        return "diverged"
    name = task.config.choose_by
    return f"dev {name.replace('_f1', '-F1')} {getattr(result.score, name):.3f}"


def arm_predictions(task: Task, arm: Arm) -> pa.Table:
    """Return what each seed of an arm says of each dev and test document, in the table's order."""
    tables = []
    for seed, result in enumerate(arm.runs):
        if result.weights is None:
            raise NotFinite(f"{arm.name}, seed {seed} has no weights; it diverged")
        model = load_classifier(task, Run(arm.name, arm.trial, seed), result.weights)
        for partition in JUDGED:
            documents = task.labelled.partitions[partition]
            shares_NC = predict(model, documents, task.precision)
            tables.append(prediction_rows(arm.name, seed, partition, documents, shares_NC))
    return pa.concat_tables(tables)


def prediction_rows(
    arm: str, seed: int, partition: str, documents: Documents, shares_NC: NDArray[np.float64]
) -> pa.Table:
    """Return the likeliest class of each document, the lowest of equals, and its probability."""
    predicted_N = shares_NC.argmax(axis=1)
    num = len(documents)
    columns = [
        *([arm] * num, [seed] * num, [partition] * num, documents.doc_ids),
        *(documents.labels_N, predicted_N, shares_NC[np.arange(num), predicted_N]),
    ]
    arrays = [
        pa.array(column, kind) for column, kind in zip(columns, PREDICTIONS.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=PREDICTIONS)
