"""What differs between the objectives of pre-training: model, rows, objective, scores.

Stands between `training.pretrain`, which trains all alike, and the objectives. All that can be
wrong with their input is found here, before the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.errors import UsageError
from data_contracts.shards import ShardSet
from training.config import PretrainConfig
from training.document_labels import UNLABELLED, DocumentLabels
from training.heldout import Scorer, score_documents
from training.labelled_rows import LabelledRows
from training.loader import Loader, Rows, TokenShards
from training.masked import Masked, score_masked
from training.masking import Masker, Pieces
from training.mixed_loader import MixedLoader, split_by_source
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.objectives import Causal, Objective
from training.precision import Precision
from training.seen import scores_by_source
from training.supervised import LabelModel, LabelsObjective, new_label_model, score_labels

Score = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Given:
    """What a run reads: shards of both splits, and what its objective needs besides.

    ``pieces`` are for masked, ``labels`` for supervised pre-training. ``sources`` are those of all
    held-out documents; None: there is no score by source. ``train_sources`` are those of the
    documents to learn from, where they are mixed by weight.
    """

    shards: TokenShards
    heldout: TokenShards | None = None
    pieces: Pieces | None = None
    labels: DocumentLabels | None = None
    sources: Sequence[str] | None = None
    train_sources: Sequence[str] | None = None

    def settings(self) -> dict[str, Any]:
        """Return what the weights depend on besides the shards, as plain values."""
        found: dict[str, Any] = {}
        if self.pieces is not None:
            found["pieces"] = self.pieces.fingerprint()
        if self.labels is not None:
            found["labels"] = self.labels.fingerprint()
            found["label_columns"] = list(self.labels.columns)
            names = zip(self.labels.columns, self.labels.class_names, strict=True)
            found["classes"] = {column: list(classes) for column, classes in names}
        return found


@dataclass(frozen=True)
class Assembly:
    """The parts of a run that its objective decides.

    ``score`` gives named scores of the model as it is on held-out documents; None without any.
    ``tokens_read`` gives for positions, in the order in which they are read, how many tokens were
    read before each and after all: [N + 1]. ``facts`` are for the receipt, ``packing`` is
    `Loader.facts`. ``head_ratio`` is the share of tokens that go through the trunk's head.
    """

    model: Transformer | LabelModel
    objective: Objective
    rows: Callable[[int], Rows]
    score: Score | None
    bytes_per_token: float | None
    tokens_read: Callable[[Sequence[int]], NDArray[np.int64]]
    facts: Mapping[str, Any]
    packing: Mapping[str, float]
    head_ratio: float

    @property
    def trunk(self) -> Transformer:
        """The model without heads of labels."""
        return self.model.trunk if isinstance(self.model, LabelModel) else self.model


def assemble(config: PretrainConfig, shape: ModelConfig, given: Given, scorer: Scorer) -> Assembly:
    """Return the parts for the objective of a config, the model on the scorer's device.

    Raises InputError if there is too little to fill a batch, ValueError if `Given` lacks what the
    objective needs.
    """
    make = {"causal": _causal, "masked": _masked, "supervised": _supervised}[config.objective]
    return make(config, shape, given, scorer)


def _causal(config: PretrainConfig, shape: ModelConfig, given: Given, scorer: Scorer) -> Assembly:
    shards, heldout, sources = given.shards, given.heldout, given.sources
    rows = loader_of(config, given)
    is_masked = any(shard.mask is not None for shard in shards.shards)
    model = new_model(shape, config.seed).to(scorer.device)

    def score() -> Mapping[str, float]:
        assert heldout is not None
        scores = score_documents(model, heldout, scorer)
        if is_masked:  # its bytes are not those of what is asked for
            return {"heldout_loss": scores.loss}
        whole = {"heldout_loss": scores.loss, "heldout_bits_per_byte": scores.bits_per_byte}
        return {**whole, **({} if sources is None else scores_by_source(scores, sources))}

    return Assembly(
        model=model,
        objective=Causal(shards.bos_id, config.loss),
        rows=rows,
        score=None if heldout is None else score,
        bytes_per_token=None if is_masked else shards.num_bytes / shards.num_tokens or None,
        tokens_read=rows.tokens_read,
        facts={},
        packing=rows.facts(),
        head_ratio=1.0,
    )


def _masked(config: PretrainConfig, shape: ModelConfig, given: Given, scorer: Scorer) -> Assembly:
    shards, heldout = given.shards, given.heldout
    if given.pieces is None:
        raise ValueError("masked pre-training needs the vocabulary's pieces")
    rows = loader_of(config, given)
    masker = Masker(shards.vocab_size, given.pieces, config.mask_rate, config.seed)
    model = new_model(shape, config.seed).to(scorer.device)

    def score() -> Mapping[str, float]:
        assert heldout is not None
        scores = score_masked(model, heldout, scorer, masker)
        return {"heldout_loss": scores.loss, "heldout_accuracy": scores.accuracy}

    return Assembly(
        model=model,
        objective=Masked(masker, shards.bos_id, config.loss),
        rows=rows,
        score=None if heldout is None else score,
        bytes_per_token=None,
        tokens_read=rows.tokens_read,
        facts={"mask_rate": config.mask_rate, "whole_words": config.whole_words},
        packing=rows.facts(),
        head_ratio=config.mask_rate,
    )


def _supervised(
    config: PretrainConfig, shape: ModelConfig, given: Given, scorer: Scorer
) -> Assembly:
    labels, heldout = given.labels, given.heldout
    if labels is None:
        raise ValueError("supervised pre-training needs the documents' labels")
    sizes = (config.context_tokens, config.batch_rows, config.seed)
    rows = LabelledRows(given.shards, labels.train_NL, *sizes)
    nums_classes = [len(names) for names in labels.class_names]
    model = new_label_model(shape, nums_classes, config.seed).to(scorer.device)
    has_heldout = heldout is not None and (labels.heldout_NL != UNLABELLED).any()

    def score() -> Mapping[str, float]:
        assert heldout is not None
        judged = LabelledRows(heldout, labels.heldout_NL, config.context_tokens, 1, config.seed)
        return score_labels(model, judged, LabelsObjective(labels.heldout_NL), scorer)

    return Assembly(
        model=model,
        objective=LabelsObjective(labels.train_NL),
        rows=rows,
        score=score if has_heldout else None,
        bytes_per_token=None,
        tokens_read=rows.tokens_read,
        facts={
            "label_columns": list(labels.columns),
            "num_classes": nums_classes,
            "labelled_documents": len(rows.chosen),
            "unlabelled_documents": labels.num_unlabelled("train"),
            "cut_documents": rows.num_cut,
        },
        packing={},
        head_ratio=0.0,
    )


def loader_of(config: PretrainConfig, given: Given) -> Loader | MixedLoader:
    """Return what draws rows: of all text alike, or of sources by weight.

    Raises UsageError if there are weights and it is not known which document is of which source.
    """
    how = (config.context_tokens, config.batch_rows, config.seed, config.packing)
    if not config.source_weights:
        return Loader(given.shards, *how)
    if given.train_sources is None or not isinstance(given.shards, ShardSet):
        raise UsageError(
            "source_weights are set, but the sources of the documents are not known; leave the "
            "weights out"
        )
    sources = split_by_source(given.shards, given.train_sources)
    return MixedLoader(sources, dict(config.source_weights), *how)


def scorer_of(config: PretrainConfig, precision: Precision, device: torch.device) -> Scorer:
    """Return how a run scores held-out documents."""
    return Scorer(
        context_tokens=config.context_tokens,
        batch_rows=config.micro_batch_rows,
        precision=precision,
        device=device,
        max_tokens=config.heldout_max_tokens,
    )
