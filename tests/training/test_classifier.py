"""The classifier: what fills a row changes nothing, pooling by hand, how it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from data_contracts.errors import Damaged, UsageError
from training.classifier import new_classifier
from training.finetune_config import POOLINGS
from training.model import ModelConfig, new_decoder

SHAPE = ModelConfig(40, 2, 16, 2, 1, 24, 16)
DOCUMENTS = [[1, 5, 6, 2], [1, 9, 2], [1, 4, 8, 30, 31, 7, 2]]


def filled(documents: list[list[int]], width: int, by: int = 0) -> tuple[torch.Tensor, ...]:
    tokens = torch.tensor([d + [by] * (width - len(d)) for d in documents])
    own = torch.tensor([[1] * len(d) + [0] * (width - len(d)) for d in documents])
    return tokens, own


@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_fills_a_row_changes_no_logit(pooling: str) -> None:
    model = new_classifier(SHAPE, 3, 0, pooling=pooling)
    together = model(*filled(DOCUMENTS, 12))
    assert torch.equal(together, model(*filled(DOCUMENTS, 12, by=39)))
    alone = torch.cat([model(*filled([document], len(document))) for document in DOCUMENTS])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-7)
    assert len({tuple(row) for row in together.tolist()}) == 3


def test_pooling_by_hand() -> None:
    for pooling in POOLINGS:
        model = new_classifier(SHAPE, 3, 0, pooling=pooling)
        hidden = model.trunk.hidden(torch.tensor([DOCUMENTS[1]]))[0]
        pooled = hidden.mean(dim=0) if pooling == "mean" else hidden[-1]
        expected = model.head.weight @ pooled + model.head.bias
        torch.testing.assert_close(model(*filled([DOCUMENTS[1]], 5))[0], expected)


def test_the_trunk_is_the_trained_one_or_drawn_and_the_head_is_of_the_seed(tmp_path: Path) -> None:
    trained = new_decoder(SHAPE, 7)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    loaded = new_classifier(SHAPE, 3, 0, tmp_path / "w.safetensors")
    fresh = new_classifier(SHAPE, 3, 0)
    other = new_classifier(SHAPE, 3, 1)
    for name, tensor in loaded.trunk.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name])
    assert torch.equal(fresh.trunk.embedding.weight, new_decoder(SHAPE, 0).embedding.weight)
    assert torch.equal(fresh.head.weight, loaded.head.weight)
    assert not torch.equal(fresh.head.weight, other.head.weight)


def test_another_model_is_refused(tmp_path: Path) -> None:
    save_file(new_decoder(SHAPE, 7).state_dict(), tmp_path / "w.safetensors")
    wider = ModelConfig(40, 2, 32, 2, 1, 24, 16)
    with pytest.raises(UsageError, match="is of another model: "):
        new_classifier(wider, 3, 0, tmp_path / "w.safetensors")
    (tmp_path / "cut").write_bytes(b"nothing")
    with pytest.raises(Damaged, match="train the model again"):
        new_classifier(SHAPE, 3, 0, tmp_path / "cut")
    with pytest.raises(UsageError, match="give 2 or more"):
        new_classifier(SHAPE, 1, 0)
