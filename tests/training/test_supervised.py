"""Supervised pre-training: rows of labelled documents, pooling, losses, held-out scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_contracts.errors import InputError
from data_contracts.shards import ShardSet
from training.document_labels import UNLABELLED
from training.heldout import Scorer
from training.labelled_rows import LabelledRows
from training.loader import PADDING
from training.model import new_model
from training.precision import Precision
from training.presets import preset
from training.supervised import LabelsObjective, new_label_model, score_labels

SHAPES = {name: preset(1, 50, 16, name) for name in ("llama", "modernbert", "gpt2")}
NUM_DOCUMENTS = 60


def some_labels(seed: int = 0) -> np.ndarray:
    """Return two columns of labels for the documents of `random_shards`; some have none."""
    draw = np.random.default_rng(seed)
    labels_NL = np.stack([draw.integers(0, 3, NUM_DOCUMENTS), draw.integers(0, 4, NUM_DOCUMENTS)])
    labels_NL = labels_NL.T.copy()
    labels_NL[draw.random(labels_NL.shape) < 0.3] = UNLABELLED
    return labels_NL


def documents_of(shards: ShardSet) -> list[list[int]]:
    return [
        shard.tokens[begin:end].tolist()
        for shard in shards.shards
        for begin, end in zip(shard.offsets[:-1], shard.offsets[1:], strict=True)
    ]


def test_an_epoch_holds_each_labelled_document_once_cut_to_the_context(
    random_shards: ShardSet,
) -> None:
    labels_NL = some_labels()
    loader = LabelledRows(random_shards, labels_NL, 16, 4, seed=0)
    documents = documents_of(random_shards)
    labelled = [n for n in range(NUM_DOCUMENTS) if (labels_NL[n] != UNLABELLED).any()]
    assert 0 < len(labelled) < NUM_DOCUMENTS
    drawn: list[int] = []
    for step in range(-(-len(labelled) // 4)):
        rows = loader(step)
        drawn += rows.row_ids_B.tolist()
        for number, tokens_S in zip(rows.row_ids_B, rows.tokens_BS, strict=True):
            own = tokens_S[tokens_S != PADDING].tolist()
            assert own == documents[number][:16]
            assert (tokens_S[len(own) :] == PADDING).all()
    assert sorted(drawn[: len(labelled)]) == labelled
    assert drawn[: len(labelled)] != labelled
    assert loader.num_cut == sum(len(documents[n]) > 16 for n in labelled)
    read = loader.tokens_read(range(3))
    assert (
        read.tolist()
        == np.cumsum(
            [0, *((loader(step).tokens_BS != PADDING).sum() for step in range(3))]
        ).tolist()
    )


def test_too_few_labels_or_other_documents_are_refused(random_shards: ShardSet) -> None:
    labels_NL = np.full((NUM_DOCUMENTS, 1), UNLABELLED)
    labels_NL[:3] = 0
    with pytest.raises(InputError, match="3 documents have a label, too few for one batch of 4"):
        LabelledRows(random_shards, labels_NL, 16, 4, 0)
    with pytest.raises(InputError, match="60 documents, and 59 are labelled"):
        LabelledRows(random_shards, labels_NL[1:], 16, 2, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_is_that_of_each_label_of_each_document_alone(
    random_shards: ShardSet, shape: str
) -> None:
    labels_NL = some_labels()
    objective = LabelsObjective(labels_NL)
    loader = LabelledRows(random_shards, labels_NL, 16, 12, seed=0)
    model = new_label_model(SHAPES[shape], [3, 4], seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    batch = objective.batch(loader(0))
    asked = 0
    expected = torch.zeros((), dtype=torch.float64)
    for number in loader.row_ids(0):
        document = documents_of(random_shards)[number][:16]
        states_TW = model.trunk.hidden(torch.tensor([document]))[0]
        encoder = shape == "modernbert"
        pooled_W = states_TW.mean(dim=0) if encoder else states_TW[-1]
        for head, label in zip(model.heads, labels_NL[number], strict=True):
            if label != UNLABELLED:
                asked += 1
                expected -= torch.log_softmax(head(pooled_W).double(), dim=0)[label]
    assert asked == batch.num_targets > 12
    loss = objective.loss_sum(model, batch)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-4)
    parts = [objective.loss_sum(model, batch.part(start, start + 4)) for start in (0, 4, 8)]
    torch.testing.assert_close(torch.stack(parts).sum(), loss)


def test_the_trunk_is_the_one_of_the_seed() -> None:
    model = new_label_model(SHAPES["llama"], [3], seed=4)
    plain = new_model(SHAPES["llama"], 4).state_dict()
    assert all(
        torch.equal(tensor, plain[name]) for name, tensor in model.trunk.state_dict().items()
    )


def test_held_out_scores_by_hand(random_shards: ShardSet) -> None:
    labels_NL = some_labels(1)
    rows = LabelledRows(random_shards, labels_NL, 16, 1, 0)
    model = new_label_model(SHAPES["llama"], [3, 4], seed=0)
    scorer = Scorer(16, 7, Precision("float32", "asked for"), torch.device("cpu"))
    scores = score_labels(model, rows, LabelsObjective(labels_NL), scorer)
    right = num = 0
    for number, document in enumerate(documents_of(random_shards)):
        pooled_W = model.trunk.hidden(torch.tensor([document[:16]]))[0, -1]
        for head, label in zip(model.heads, labels_NL[number], strict=True):
            if label != UNLABELLED:
                num += 1
                right += int(head(pooled_W).argmax()) == label
    assert scores["heldout_accuracy"] == pytest.approx(right / num)
    assert 0.5 < scores["heldout_loss"] < 2
