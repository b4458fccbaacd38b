"""instruct: a pre-trained model and packed conversations -> the model, taught to answer.

It is `training.steps.pretrain`'s training on shards with a mask, begun with the run's model: what
the user says is read, what the assistant says is learnt.
"""

from __future__ import annotations

from dataclasses import replace

from data_contracts.models import CURVE, DESCRIPTION, WEIGHTS
from store.step import Inputs, Output, Step
from training.config import PretrainConfig
from training.start import with_start
from training.steps.pretrain import pretrain_step

VERSION = 1


def instruct(inputs: Inputs, config: PretrainConfig) -> Output:
    """Train on the conversations, look at the held-out ones; one row per logged step.

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
    return pretrain_step(inputs, with_start(replace(config, init_from=str(folder), init_digest="")))


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
