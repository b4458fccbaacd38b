"""A partition that holds a trained model -> the model, for the steps that use one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import UsageError
from data_contracts.models import DESCRIPTION, WEIGHTS
from store.step import Part

if TYPE_CHECKING:
    from training.model import Transformer


def open_writer(part: Part, tokenizer_digest: str, folder: Path) -> Transformer:
    """Load the model of a partition as `open_model` does, if it can go on from a text.

    Raises UsageError if it learnt another objective than the causal one, besides what `open_model`
    raises.
    """
    from training.model_folder import read_description

    copies = folder / "description"
    copies.mkdir(parents=True, exist_ok=True)
    objective = read_description(part.file(DESCRIPTION, copies)).objective
    if objective != "causal":
        raise UsageError(
            f"the model learnt the {objective} objective and writes no texts; a model of "
            "pretrain.objective = 'causal' does."
        )
    return open_model(part, tokenizer_digest, folder)


def open_model(part: Part, tokenizer_digest: str, folder: Path) -> Transformer:
    """Load the model of a partition, which must read the ids of a tokenizer.

    From a local home it is read where it lies; that of a bucket is copied to ``folder``.

    Raises:
        UsageError: if it was trained with another tokenizer. NotFound: if there is no model.
        Damaged: if a file is missing or not what was written.
    """
    from training.model_folder import load_model

    copies = folder / "model"
    copies.mkdir(parents=True, exist_ok=True)
    weights, description = (part.file(name, copies) for name in (WEIGHTS, DESCRIPTION))
    return load_model(weights, description, tokenizer_digest)
