"""finetune: labelled documents and a pre-trained model -> what two arms say of dev and test.

A step that takes long: each run of a schedule and a seed is kept in the partition's work folder,
and a killed step goes on from there to the very same weights.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_contracts.errors import InputError, UsageError
from data_contracts.labels import PREDICTIONS
from data_contracts.models import DESCRIPTION, WEIGHTS
from data_contracts.tokenizer import tokenizer_of
from store.step import Inputs, Output, Step
from training.finetune_config import FinetuneConfig
from training.search import Trial, at_edges, grid

if TYPE_CHECKING:
    from training.finetune import Arm, FinetuneResult
    from training.model_folder import Description

VERSION = 3

CLASSIFIER, TRIALS, CURVES = "classifier.json", "trials.json", "curves.json"


def finetune_step(inputs: Inputs, config: FinetuneConfig) -> Output:
    """Search and train both arms; one row per arm, seed and judged document.

    Raises:
        InputError: if the documents make no task, or there is not one model.
        UsageError: if model and labels have different tokenizers.
        NotFinite: if every trial of an arm diverges, or a final run does.
    """
    from training.finetune import finetune
    from training.model_folder import read_description

    if inputs.scratch is None:
        raise ValueError("finetune writes files and needs a folder to write them in")
    if len(inputs.parts["model"]) != 1:
        raise InputError("finetune needs one pre-trained model; run pretrain first.")
    (model,) = inputs.parts["model"]
    copies = inputs.scratch / "model"
    copies.mkdir()
    description = read_description(model.file(DESCRIPTION, copies))
    check_tokenizer(inputs, description.tokenizer_digest)
    result = finetune(
        config,
        inputs.table("labelled"),
        description.model,
        model.file(WEIGHTS, copies),
        inputs.work or inputs.scratch / "work",
        inputs.tell,
    )
    files = write_files(result, config, description, inputs.scratch)
    return Output(result.predictions, facts=facts(result, config), files=files)


def check_tokenizer(inputs: Inputs, model_digest: str) -> None:
    """Raise UsageError unless the labels' tokenizer is the model's."""
    ours = tokenizer_of(inputs.table("tokenizer")).vocabulary.tokenizer_digest
    if ours != model_digest:
        raise UsageError(
            f"the labelled documents were made with tokenizer {ours[:12]}, the model with "
            f"{model_digest[:12]}; pack the labels again with the model's tokenizer."
        )


def write_files(
    result: FinetuneResult, config: FinetuneConfig, description: Description, folder: Path
) -> dict[str, Path]:
    """Write every seed's classifier, what they are, all trials and the curves; return the paths."""
    bodies: dict[str, Any] = {
        CLASSIFIER: {
            "classes": list(result.class_names),
            "pooling": config.pooling,
            "model": asdict(description.model),
            "tokenizer_digest": description.tokenizer_digest,
            "max_tokens": description.model.context_tokens,
            "chosen": {arm.name: schedule(arm.trial) for arm in result.arms.values()},
        },
        TRIALS: [row for arm in result.arms.values() for row in trial_rows(arm)],
        CURVES: {arm.name: list(arm.runs[0].curve) for arm in result.arms.values()},
    }
    files = {name: folder / name for name in bodies}
    for name, path in files.items():
        path.write_text(json.dumps(bodies[name], indent=1, sort_keys=True, allow_nan=False) + "\n")
    for arm in result.arms.values():
        for seed, run in enumerate(arm.runs):
            name = f"{arm.name}-{seed}.safetensors"
            if run.weights is None:
                raise ValueError(f"{name} was never trained")
            files[name] = Path(shutil.copyfile(run.weights, folder / name))
    return files


def schedule(trial: Trial) -> dict[str, float]:
    """Return a trial as plain values."""
    return {"learning_rate": trial.learning_rate, "epochs": trial.epochs}


def trial_rows(arm: Arm) -> list[dict[str, Any]]:
    """Return an arm's trials in the order of the grid, scores None where one diverged."""
    return [
        {
            "arm": arm.name,
            **schedule(score.trial),
            "num_steps": score.num_steps,
            "accuracy": score.accuracy,
            "macro_f1": score.macro_f1,
            "diverged": score.diverged,
            "chosen": score.trial == arm.trial,
        }
        for score in arm.scores
    ]


def facts(result: FinetuneResult, config: FinetuneConfig) -> dict[str, Any]:
    """Return what is known of the runs besides their rows: times, choices, machine."""
    import torch

    trials = grid(config.learning_rates, config.epochs)
    arms = result.arms.values()
    return {
        "num_runs": sum(len(arm.scores) + len(arm.runs) - 1 for arm in arms),
        "num_train_documents": result.num_train,
        "batch_rows": result.batch_rows,
        "cut_documents": result.num_cut,
        "dtype": config.dtype,
        "num_threads": config.num_threads,
        "torch": torch.__version__,
        "diverged_trials": sum(score.diverged is not None for arm in arms for score in arm.scores),
        "seconds": {arm.name: round(arm.seconds, 2) for arm in arms},
        "tokens_per_second": {arm.name: round(arm.tokens_per_second, 1) for arm in arms},
        "chosen": {arm.name: schedule(arm.trial) for arm in arms},
        "at_edge_of_grid": {arm.name: at_edges(arm.trial, trials) for arm in arms},
    }


STEP = Step(
    name="finetune",
    version=VERSION,
    kind="whole",
    run=finetune_step,
    config=FinetuneConfig,
    schema=PREDICTIONS,
    inputs={"labelled": "all", "model": "all", "tokenizer": "all"},
    libraries=("torch",),
    accounts_for="labelled",
    emits="model",
    resumable=True,
)
