"""instruct: a pre-trained model and packed conversations -> the model, taught to answer.

It is `training.steps.pretrain`'s training on shards with a mask, begun with the run's model: what
the user says is read, what the assistant says is learnt.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data_contracts.models import CURVE, DESCRIPTION, WEIGHTS
from store.step import Inputs, Output, Step
from training.config import PretrainConfig
from training.start import with_start
from training.steps.model_parts import open_model
from training.steps.pretrain import pretrain_step
from training.steps.token_shards import open_parts

VERSION = 6


def instruct(inputs: Inputs, config: PretrainConfig) -> Output:
    """Train on the conversations, look at the held-out ones; one row per logged step.

    The fact ``heldout_loss_before`` is the loss of the model that it begins with on them, None if
    there are none.

    Raises:
        UsageError: if the model is of another shape, or reads the ids of another tokenizer.
        InputError: if the conversations do not fill one batch, or a row asks for nothing.
        NotFinite: if training breaks more often than the guard may go back; with step and rows.
    """
    if inputs.scratch is None:
        raise ValueError("instruct writes files and needs a folder to write them in")
    copies = inputs.scratch / "begun-with"
    copies.mkdir()
    model = inputs.one("model")
    (folder,) = {model.file(name, copies).parent for name in (WEIGHTS, DESCRIPTION)}
    begun = with_start(replace(config, init_from=str(folder), init_digest=""))
    output = pretrain_step(inputs, begun)
    before = loss_before(inputs, config, str(output.facts["dtype"]), inputs.scratch / "before")
    output.facts["heldout_loss_before"] = before
    return output


def loss_before(inputs: Inputs, config: PretrainConfig, dtype: str, folder: Path) -> float | None:
    """Return the loss on held-out conversations before training, in its numbers; None without."""
    heldout = open_parts(inputs.parts["tokens"], "heldout", folder)
    if not heldout.num_tokens:
        return None
    from training.assembly import scorer_of
    from training.heldout import score_documents
    from training.precision import Precision, threads
    from training.pretrain import torch_device

    device = torch_device(config.device)
    model = open_model(inputs.one("model"), heldout.tokenizer_digest, folder).to(device)
    with threads(config.num_threads):
        scorer = scorer_of(config, Precision(dtype, "as in training"), device)
        return score_documents(model.eval(), heldout, scorer).loss


STEP = Step(
    name="instruct",
    version=VERSION,
    kind="whole",
    run=instruct,
    config=PretrainConfig,
    schema=CURVE,
    inputs={"tokens": "all", "tokenizer": "all", "model": "all"},
    libraries=("torch",),
    accounts_for="tokens",
    emits="model",
    resumable=True,
)
