"""Reading on: the numbers are those of reading everything again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import UsageError
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.reading import Reader

GROUPED = ModelConfig(50, 2, 32, 4, 2, 48, 16)
SINGLE = ModelConfig(50, 3, 24, 2, 2, 40, 16)
LEARNED = replace(SINGLE, shape="gpt2", biases=True)


def sharp(config: ModelConfig) -> Transformer:
    """Return a model whose weights are large enough that every token matters."""
    model = new_model(config, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model


@pytest.mark.parametrize("config", [GROUPED, SINGLE, LEARNED], ids=["grouped", "single", "learned"])
def test_logits_are_those_of_the_whole_text(config: ModelConfig) -> None:
    model = sharp(config)
    for parameter in model.parameters():
        parameter.requires_grad_(False)

    @given(st.lists(st.integers(0, 49), min_size=1, max_size=16), st.integers(1, 16))
    @settings(max_examples=30)
    def check(ids: list[int], first: int) -> None:
        expected_TV = model(torch.tensor([ids]))[0]
        reader = Reader(model)
        logits = [reader.read(ids[:first])]
        logits += [reader.read([number]) for number in ids[first:]]
        assert reader.num_tokens == len(ids)
        expected_TV = expected_TV[min(first, len(ids)) - 1 :]
        torch.testing.assert_close(torch.stack(logits), expected_TV, rtol=1e-4, atol=1e-4)

    check()
    changed = model(torch.tensor([[3, 4, 5]]))[0, -1] - model(torch.tensor([[9, 4, 5]]))[0, -1]
    assert changed.abs().max() > 0.01, "the first token must matter for this to say anything"


def test_an_encoder_cannot_read_on() -> None:
    with pytest.raises(UsageError, match="modernbert sees both sides"):
        Reader(new_model(replace(SINGLE, shape="modernbert"), 0))


def test_what_cannot_be_read_is_refused() -> None:
    reader = Reader(sharp(GROUPED))
    for wrong in ([], list(range(17))):
        with pytest.raises(ValueError, match="cannot be read after 0"):
            reader.read(wrong)
    reader.read(list(range(16)))
    with pytest.raises(ValueError, match="1 ids cannot be read after 16"):
        reader.read([1])
    reader = Reader(sharp(GROUPED))
    reader.read([1])
    with pytest.raises(ValueError, match="2 ids cannot be read after 1"):
        reader.read([1, 2])
