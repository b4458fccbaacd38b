"""Documents of a row do not see each other, in any shape, by tiles and by masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.model import Transformer, new_model
from training.model_config import ModelConfig

LLAMA = ModelConfig(61, 3, 32, 4, 2, 48, 40)
SHAPES = {
    "llama": LLAMA,
    "gpt2": replace(LLAMA, shape="gpt2", num_kv_heads=4, biases=True),
    "modernbert": replace(LLAMA, shape="modernbert", num_kv_heads=4, window_tokens=8),
}
CAUSAL = [name for name in SHAPES if name != "modernbert"]
RISING = torch.tensor([[0] * 9 + [1] * 20 + [2] * 11])
IN_PIECES = torch.tensor([[2] * 9 + [1] * 20 + [2] * 11])


def strong(shape: str) -> Transformer:
    """Return a model whose weights are large enough that every token matters."""
    model = new_model(SHAPES[shape], seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model


def tokens_of(seed: int, *shape: int) -> Tensor:
    return torch.randint(61, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("documents", [RISING, IN_PIECES], ids=["tiles", "masks"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_stands_in_another_document_changes_no_bit(shape: str, documents: Tensor) -> None:
    model = strong(shape)
    sights = model.sights(documents, documents)
    assert (sights.whole.tiles is None) == (documents is IN_PIECES)
    one = tokens_of(0, 1, 40)
    other = one.clone()
    other[:, :9], other[:, 29:] = tokens_of(1, 1, 9), tokens_of(2, 1, 11)
    before, after = model(one, documents), model(other, documents)
    assert torch.equal(before[:, 9:29], after[:, 9:29])
    assert not torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(model(one)[:, 9:29], model(other)[:, 9:29])  # unmasked, it leaks


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_another_document_are_zero(shape: str) -> None:
    model = strong(shape)
    held: list[Tensor] = []
    model.embedding.register_forward_hook(lambda *call: held.append(call[2]) or held[0])
    logits = model(tokens_of(0, 1, 40), RISING)
    (grad,) = torch.autograd.grad(logits[:, 9:29].square().sum(), held)
    assert grad[:, 9:29].abs().min() > 0
    assert not grad[:, :9].any()
    assert not grad[:, 29:].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_and_masks_are_the_same_but_for_rounding(shape: str) -> None:
    model, tokens = strong(shape), tokens_of(0, 2, 40)
    documents = torch.cat([RISING, RISING.flip(1).neg()])
    by_tiles = model(tokens, documents)
    model.compiled = True
    assert model.sights(tokens, documents).whole.mask_B1TT is not None
    torch.testing.assert_close(by_tiles, model(tokens, documents), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", CAUSAL)
def test_no_token_of_a_decoder_sees_what_follows(shape: str, masked: bool) -> None:
    model, one = strong(shape), tokens_of(0, 1, 40)
    documents = RISING if masked else None
    for place in (0, 11, 38):
        other = one.clone()
        other[:, place + 1 :] = tokens_of(4, 1, 39 - place)
        before, after = model(one, documents), model(other, documents)
        assert torch.equal(before[:, : place + 1], after[:, : place + 1])
        assert not torch.equal(before[:, place + 1 :], after[:, place + 1 :])


def test_a_token_of_an_encoder_sees_both_sides() -> None:
    model, one = strong("modernbert"), tokens_of(0, 1, 40)
    for place in (0, 39):
        other = one.clone()
        other[:, place] = (one[:, place] + 1) % 61
        assert (model(one) != model(other)).any(dim=-1).all()


def test_dropout_is_drawn_from_torchs_generator_in_training_only() -> None:
    for name in SHAPES:
        model = new_model(replace(SHAPES[name], dropout_ratio=0.2), 0)
        tokens, outs = tokens_of(0, 2, 40), []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            outs.append(model.train()(tokens, RISING.expand(2, -1)))
        assert torch.equal(outs[0], outs[1])
        assert not torch.equal(outs[0], outs[2])
        plain = new_model(SHAPES[name], 0).eval()
        assert torch.equal(model.eval()(tokens), plain(tokens))
