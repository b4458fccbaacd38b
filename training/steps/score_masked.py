"""score_heldout of a masked model: hidden tokens of held-out documents -> how well it guesses them.

One row per scored document, in the order of the shards. The same tokens are hidden from every model
of a tokenizer and a rate. A loss of guesses is no likelihood of a text: it gives no bits per byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data_contracts.models import DESCRIPTION, HELDOUT_SCORES
from store.step import Inputs, Output
from training.config import PretrainConfig
from training.steps.model_parts import open_model
from training.steps.pretrain_inputs import pieces_for
from training.steps.score_heldout import SPLIT, STEP, ScoreConfig, scorer_of
from training.steps.token_shards import documents_of, open_parts

if TYPE_CHECKING:
    from training.masked import MaskedScores


def score_masked_step(inputs: Inputs, config: ScoreConfig) -> Output:
    """Score held-out documents; no row if none is held out.

    Raises:
        UsageError: if the model was trained with another tokenizer than the shards.
        InputError: if there are no shards at all, or the tokenizer has no mask.
    """
    if inputs.scratch is None:
        raise ValueError("score_heldout opens files and needs a folder for those of a bucket")
    shards = open_parts(inputs.parts["tokens"], SPLIT, inputs.scratch / "tokens")
    documents = documents_of(inputs.parts["tokens"], SPLIT)
    if not shards.num_documents:
        return Output(HELDOUT_SCORES.empty_table(), facts={"num_heldout_documents": 0})
    scores, rate = _scores(inputs, shards, config)
    rows = {
        "doc_id": documents["doc_id"].take(scores.indexes_N),
        "num_targets": scores.num_targets_N,
        "num_bytes": scores.num_bytes_N,
        "nats": scores.nats_N,
        "num_right": scores.num_right_N,
    }
    facts = {
        "masked_loss": scores.loss,
        "masked_accuracy": scores.accuracy,
        "mask_rate": rate,
        "num_targets": int(np.sum(scores.num_targets_N)),
        "num_documents": len(scores.indexes_N),
        "num_heldout_documents": shards.num_documents,
    }
    return Output(pa.table(rows, HELDOUT_SCORES), facts=facts)


def _scores(inputs: Inputs, shards: Any, config: ScoreConfig) -> tuple[MaskedScores, float]:
    from training.masked import score_masked
    from training.masking import Masker
    from training.model_folder import read_description
    from training.precision import threads

    assert inputs.scratch is not None
    part = inputs.one("model")
    model = open_model(part, shards.tokenizer_digest, inputs.scratch)
    learnt = read_description(part.file(DESCRIPTION, inputs.scratch / "model")).settings
    asked = PretrainConfig(objective="masked", whole_words=bool(learnt["whole_words"]))
    rate = float(learnt["mask_rate"])
    masker = Masker(shards.vocab_size, pieces_for(inputs, asked), rate, seed=0)
    scorer = scorer_of(config, model.config)
    with threads(config.num_threads):
        return score_masked(model.eval(), shards, scorer, masker), rate


STEP_MASKED = replace(STEP, run=score_masked_step, inputs={**STEP.inputs, "tokenizer": "all"})
