"""One run of fine-tuning: a classifier, a schedule, a seed; done once, and kept.

::

    <folder>/checkpoints/…        while it runs, see `training.checkpoint`
             metrics.jsonl        dev scores by step
             model.safetensors    the finished classifier
             result.json          scores, settings and the SHA-256 of the weights: written last

A folder with a whole result is taken as it is; otherwise the run goes on from its checkpoint, and
ends with the same bits.

Shapes: N documents, C classes.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.errors import Damaged, UsageError
from training.checkpoint import MODEL, file_digest, read_tensors
from training.classifier import Classifier, key_of, new_classifier
from training.config import AdamWConfig, Plan, counted_names
from training.evaluate import accuracy, macro_f1
from training.finetune_config import FinetuneConfig
from training.labelled import Documents, Labelled, LabelledLoader
from training.loop import CHECKPOINTS, METRICS, NotFinite, train
from training.metrics import Progress, read_metrics
from training.model_config import ModelConfig
from training.objectives import Batch, Supervised
from training.optim import new_adamw
from training.parts import Parts
from training.precision import Precision
from training.schedule import Schedule
from training.search import Trial, TrialScore

RESULT = "result.json"
_SCORING_ROWS = 128
_OF_THE_SEARCH = {"learning_rates", "epochs", "num_seeds", "choose_by", "arms"}


@dataclass(frozen=True)
class Task:
    """What all runs share: documents, the trunk's shape, the pre-trained weights and their digest.

    ``labelled_digest`` and ``weights_digest`` stand for the data in the settings of a run.
    """

    config: FinetuneConfig
    labelled: Labelled
    shape: ModelConfig
    weights: Path
    labelled_digest: str
    weights_digest: str

    @property
    def precision(self) -> Precision:
        """The numbers that runs compute in."""
        return Precision(self.config.dtype, "asked for")


@dataclass(frozen=True)
class Run:
    """One run: ``arm`` is ``pretrained`` or ``scratch``."""

    arm: str
    trial: Trial
    seed: int


@dataclass(frozen=True)
class RunResult:
    """A finished run: dev scores, the finished weights (None if it diverged), dev by step.

    ``num_tokens`` were learnt from in ``seconds``, both 0 if the run had been done before.
    """

    score: TrialScore
    weights: Path | None
    curve: tuple[Mapping[str, float], ...]
    num_tokens: int = 0
    seconds: float = 0.0


def run_once(task: Task, run: Run, folder: Path) -> RunResult:
    """Return the result of a run, from its folder if it is there, else by training.

    Raises UsageError if the folder holds a run with other settings.
    """
    settings = run_settings(task, run)
    if kept := read_result(folder, settings, run.trial):
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return kept
    started = time.perf_counter()
    loader = LabelledLoader(task.labelled.train, task.config.batch_rows, key_of("order", run.seed))
    num_steps = loader.steps_per_epoch * run.trial.epochs
    try:
        checkpoint, resumed_from = train_run(task, run, loader, num_steps, settings, folder)
    except NotFinite as error:
        score = TrialScore(run.trial, num_steps, diverged=str(error))
        write_result(folder, settings, RunResult(score, None, ()))
        return RunResult(score, None, ())
    curve = read_curve(folder / METRICS, num_steps)
    shutil.copyfile(checkpoint / MODEL, folder / f".{MODEL}.new")
    (folder / f".{MODEL}.new").replace(folder / MODEL)
    last = curve[-1]
    score = TrialScore(run.trial, num_steps, last["accuracy"], last["macro_f1"])
    result = RunResult(
        score=score,
        weights=folder / MODEL,
        curve=curve,
        num_tokens=len(task.labelled.train.tokens) * run.trial.epochs if not resumed_from else 0,
        seconds=time.perf_counter() - started if not resumed_from else 0.0,
    )
    write_result(folder, settings, result)
    return result


def train_run(
    task: Task,
    run: Run,
    loader: LabelledLoader,
    num_steps: int,
    settings: Mapping[str, Any],
    folder: Path,
) -> tuple[Path, int]:
    """Train with the common loop; return the last checkpoint and the steps done before."""
    config = task.config
    model = run_model(task, run)
    warm_up_steps = min(math.ceil(config.warm_up_ratio * num_steps), num_steps - 1)
    parts = Parts(
        model=model,
        optimizer=new_adamw(model, AdamWConfig(beta_2=0.999, weight_decay=config.weight_decay)),
        objective=Supervised(task.labelled.train.labels_N),
        rows=loader,
        learning_rate=Schedule(run.trial.learning_rate, num_steps, warm_up_steps, 0.0),
        precision=task.precision,
        settings=settings,
        evaluate=lambda: dev_scores(model, task),
        seed=key_of("dropout", run.seed),
    )
    plan = Plan(
        num_steps=num_steps,
        micro_batch_rows=config.batch_rows,
        clip_norm=config.clip_norm,
        checkpoint_every_steps=config.checkpoint_every_steps,
        keep_checkpoints=1,
        evaluate_every_steps=max(1, num_steps // config.curve_points),
        log_every_steps=num_steps,
    )
    with torch.random.fork_rng(devices=[]):
        trained = train(parts, plan, folder, _ignore)
    return trained.checkpoint, trained.resumed_from_step


def _ignore(progress: Progress) -> None:
    """Drop what is known after a step; runs are short, and each ends with a line of its own."""


def run_model(task: Task, run: Run) -> Classifier:
    """Return the classifier that a run begins with, standardised over the train documents."""
    model = new_classifier(
        task.shape,
        len(task.labelled.class_names),
        run.seed,
        task.weights if run.arm == "pretrained" else None,
        task.config.pooling,
        task.config.dropout_ratio,
    )
    batches = (batch for _, batch in scoring_batches(task.labelled.train))
    model.standardise((batch.tokens_BT, batch.documents_BT) for batch in batches)
    return model


def run_settings(task: Task, run: Run) -> dict[str, Any]:
    """Return all that a run's weights depend on, as plain JSON values."""
    counted = set(counted_names(FinetuneConfig)) - _OF_THE_SEARCH
    plain = {name: value for name, value in asdict(task.config).items() if name in counted}
    return {
        **plain,
        "arm": run.arm,
        "seed": run.seed,
        "learning_rate": run.trial.learning_rate,
        "epochs": run.trial.epochs,
        "objective": "supervised",
        "model": asdict(task.shape),
        "num_classes": len(task.labelled.class_names),
        "labelled": task.labelled_digest,
        "weights": task.weights_digest if run.arm == "pretrained" else None,
    }


def dev_scores(model: Classifier, task: Task) -> dict[str, float]:
    """Return accuracy and macro-F1 on dev of the model as it is."""
    documents = task.labelled.partitions["dev"]
    predicted_N = predict(model, documents, task.precision).argmax(axis=1)
    num_classes = len(task.labelled.class_names)
    return {
        "accuracy": accuracy(documents.labels_N, predicted_N),
        "macro_f1": macro_f1(documents.labels_N, predicted_N, num_classes),
    }


@torch.no_grad()
def predict(model: Classifier, documents: Documents, precision: Precision) -> NDArray[np.float64]:
    """Return the probabilities [N, C] of the classes; the model should be in evaluation mode.

    Raises NotFinite if one is no number.
    """
    device = torch.device("cpu")
    shares_NC = np.empty((len(documents), model.head.out_features))
    for row_ids_B, batch in scoring_batches(documents):
        with precision.autocast(device):
            logits_BC = model(batch.tokens_BT, batch.documents_BT)
        shares_NC[row_ids_B] = torch.softmax(logits_BC.double(), dim=1).numpy()
    if not np.isfinite(shares_NC).all():
        bad = documents.doc_ids[int(np.flatnonzero(~np.isfinite(shares_NC).all(axis=1))[0])]
        raise NotFinite(f"the classifier gives document {bad} no number; lower the learning rate")
    return shares_NC


def scoring_batches(documents: Documents) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Yield all documents in large batches of like lengths, each with its row ids."""
    objective = Supervised(documents.labels_N)
    order_N = np.argsort(documents.lengths_N, kind="stable")
    for start in range(0, len(order_N), _SCORING_ROWS):
        row_ids_B = order_N[start : start + _SCORING_ROWS]
        yield row_ids_B, objective.batch(documents.rows(row_ids_B))


def read_curve(path: Path, num_steps: int) -> tuple[dict[str, float], ...]:
    """Return dev scores by step; raises Damaged if those of the last step are not there."""
    lines = [line for line in read_metrics(path) if line["scores"]]
    if not lines or lines[-1]["step"] != num_steps:
        raise Damaged(f"{path} ends before step {num_steps}; delete {path.parent} and run again")
    return tuple({"step": line["step"], **line["scores"]} for line in lines)


def write_result(folder: Path, settings: Mapping[str, Any], result: RunResult) -> None:
    """Write what is kept of a finished run, whole or not at all; its checkpoints go."""
    record = {
        "settings": settings,
        "weights_sha256": file_digest(result.weights) if result.weights else None,
        "score": {name: value for name, value in vars(result.score).items() if name != "trial"},
        "curve": result.curve,
    }
    fresh = folder / f".{RESULT}.new"
    fresh.write_text(json.dumps(record, indent=1, sort_keys=True))
    fresh.replace(folder / RESULT)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def read_result(folder: Path, settings: Mapping[str, Any], trial: Trial) -> RunResult | None:
    """Return what is kept of a run; None if it is not finished, or not as it was written."""
    try:
        record = json.loads((folder / RESULT).read_bytes())
        theirs, expected = record["settings"], record["weights_sha256"]
        result = RunResult(
            TrialScore(trial, **record["score"]),
            None if expected is None else folder / MODEL,
            tuple(record["curve"]),
        )
        whole = result.weights is None or file_digest(result.weights) == expected
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for name in sorted({*settings, *theirs}):
        if settings.get(name) != theirs.get(name):
            raise UsageError(
                f"{folder} holds a run with {name} = {theirs.get(name)!r}, not "
                f"{settings.get(name)!r}; use another folder, or the settings it began with"
            )
    return result if whole else None


def load_classifier(task: Task, run: Run, weights: Path) -> Classifier:
    """Return a finished run's classifier, in evaluation mode."""
    model = run_model(task, run)
    model.load_state_dict(read_tensors(weights))
    return model.eval()
