"""The classifier: what fills a row changes nothing, pooling by hand, how it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from data_contracts.errors import Damaged, UsageError
from training.classifier import new_classifier
from training.finetune_config import POOLINGS
from training.model import new_model
from training.model_config import ModelConfig

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
    trained = new_model(SHAPE, 7)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    loaded = new_classifier(SHAPE, 3, 0, tmp_path / "w.safetensors")
    fresh = new_classifier(SHAPE, 3, 0)
    other = new_classifier(SHAPE, 3, 1)
    for name, tensor in loaded.trunk.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name])
    assert torch.equal(fresh.trunk.embedding.weight, new_model(SHAPE, 0).embedding.weight)
    assert torch.equal(fresh.head.weight, loaded.head.weight)
    assert not torch.equal(fresh.head.weight, other.head.weight)


def test_another_model_is_refused(tmp_path: Path) -> None:
    save_file(new_model(SHAPE, 7).state_dict(), tmp_path / "w.safetensors")
    wider = ModelConfig(40, 2, 32, 2, 1, 24, 16)
    with pytest.raises(UsageError, match="is of another model: "):
        new_classifier(wider, 3, 0, tmp_path / "w.safetensors")
    (tmp_path / "cut").write_bytes(b"nothing")
    with pytest.raises(Damaged, match="train the model again"):
        new_classifier(SHAPE, 3, 0, tmp_path / "cut")
    with pytest.raises(UsageError, match="give 2 or more"):
        new_classifier(SHAPE, 1, 0)


def test_standardised_states_have_mean_0_and_deviation_1() -> None:
    model = new_classifier(SHAPE, 3, 0)
    generator = torch.Generator().manual_seed(0)
    tokens_BT = torch.randint(3, SHAPE.vocab_size, (12, 6), generator=generator)
    own_BT = torch.ones_like(tokens_BT)
    own_BT[::2, 4:] = 0
    halves = [(tokens_BT[:5], own_BT[:5]), (tokens_BT[5:], own_BT[5:])]
    model.standardise(halves)
    seen: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.eval()(tokens_BT, own_BT)
    torch.testing.assert_close(seen[0].mean(dim=0), torch.zeros(SHAPE.width), atol=1e-4, rtol=0)
    deviation_W = seen[0].std(dim=0, correction=0)
    torch.testing.assert_close(deviation_W, torch.ones(SHAPE.width), atol=1e-3, rtol=0)
    kept = model.state_dict()
    assert {"center_W", "scale_W"} <= set(kept)


def test_standardising_one_document_divides_by_nothing() -> None:
    model = new_classifier(SHAPE, 3, 0)
    tokens_BT = torch.full((1, 4), 5)
    model.standardise([(tokens_BT, torch.ones_like(tokens_BT))])
    assert torch.isfinite(model(tokens_BT, torch.ones_like(tokens_BT))).all()
