"""Logits and gradients of each shape against the implementations of `transformers`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training.hf_config import hf_config
from training.hf_names import places, to_ours, to_theirs
from training.model import Transformer, new_model
from training.model_config import ModelConfig

transformers = pytest.importorskip("transformers")

LLAMA = ModelConfig(61, 3, 32, 4, 2, 48, 40, rope_base=500.0, norm_epsilon=1e-4)
GPT2 = ModelConfig(61, 3, 32, 4, 4, 128, 40, shape="gpt2", norm_epsilon=1e-4, biases=True)
MODERNBERT = ModelConfig(
    vocab_size=61,
    num_layers=5,
    width=32,
    num_heads=4,
    num_kv_heads=4,
    feed_forward_width=48,
    context_tokens=40,
    rope_base=700.0,
    norm_epsilon=1e-4,
    shape="modernbert",
    window_tokens=8,
    local_rope_base=50.0,
)
CASES = {
    "llama, tied": LLAMA,
    "llama, untied": replace(LLAMA, tied_head=False),
    "llama, no groups": replace(LLAMA, num_kv_heads=4),
    "llama, one key head": replace(LLAMA, num_kv_heads=1, rope_base=10_000.0),
    "gpt2, biases": GPT2,
    "gpt2, no biases": replace(GPT2, biases=False),
    "gpt2, exact GELU": replace(GPT2, exact_gelu=True),
    "gpt2, untied": replace(GPT2, tied_head=False),
    "modernbert": MODERNBERT,
    "modernbert, untied": replace(MODERNBERT, tied_head=False),
    "modernbert, every other global": replace(MODERNBERT, global_every_layers=2),
}
CLASSES = {"llama": "Llama", "gpt2": "GPT2", "modernbert": "ModernBert"}
HEADS = {"llama": "ForCausalLM", "gpt2": "LMHeadModel", "modernbert": "ForMaskedLM"}


def strong(config: ModelConfig) -> Transformer:
    """Return a model whose parts all matter: large weights, norms other than 1, biases than 0."""
    model = new_model(config, seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
            elif name.endswith("bias"):
                parameter.uniform_(-0.5, 0.5, generator=generator)
            else:
                parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def theirs_of(model: Transformer, attention: str = "eager") -> Any:
    """Return their model with the same weights; every one of theirs must be given."""
    config = model.config
    name = CLASSES[config.shape]
    settings = getattr(transformers, f"{name}Config")(
        **hf_config(config), pad_token_id=None, attn_implementation=attention
    )
    other = getattr(transformers, name + HEADS[config.shape])(settings).eval()
    tensors = to_theirs(model.state_dict(), config)
    missing, unexpected = other.load_state_dict(tensors, strict=False)
    assert unexpected == []
    tied = {"lm_head.weight", "decoder.weight"} if config.tied_head else set()
    assert set(missing) <= tied
    return other


def tokens_of(seed: int, *shape: int) -> Tensor:
    return torch.randint(61, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_logits_and_gradients_are_those_of_the_reference(
    config: ModelConfig, attention: str
) -> None:
    ours, tokens, targets = strong(config), tokens_of(0, 2, 33), tokens_of(1, 2, 33)
    theirs = theirs_of(ours, attention)
    logits, expected = ours(tokens), theirs(tokens).logits
    assert expected.std() > 0.5
    torch.testing.assert_close(logits, expected)
    for found in (logits, expected):
        F.cross_entropy(found.flatten(0, 1), targets.flatten()).backward()
    grads = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    expected_grads = to_ours(grads, config)
    found_grads = {name: parameter.grad for name, parameter in ours.named_parameters()}
    assert found_grads.keys() == expected_grads.keys()
    for name, grad in found_grads.items():
        assert expected_grads[name].abs().max() > 1e-3, name
        torch.testing.assert_close(grad, expected_grads[name], msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_names_go_there_and_back(config: ModelConfig) -> None:
    tensors = strong(config).state_dict()
    again = to_ours(to_theirs(tensors, config), config)
    assert again.keys() == tensors.keys() == places(config).keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


CHANGES = [
    (LLAMA, {"rope_base": 600.0}),
    (LLAMA, {"norm_epsilon": 1e-2}),
    (GPT2, {"norm_epsilon": 1e-2}),
    (MODERNBERT, {"rope_base": 600.0}),
    (MODERNBERT, {"local_rope_base": 60.0}),
    (MODERNBERT, {"window_tokens": 10}),
    (MODERNBERT, {"global_every_layers": 2}),
    (MODERNBERT, {"norm_epsilon": 1e-2}),
]


@pytest.mark.parametrize(("config", "change"), CHANGES)
def test_every_setting_reaches_both_alike(config: ModelConfig, change: dict[str, Any]) -> None:
    model, tokens = strong(config), tokens_of(0, 1, 33)
    other = Transformer(replace(config, **change))
    other.load_state_dict(model.state_dict())
    logits = other(tokens)
    assert (logits - model(tokens)).abs().max() > 1e-2
    torch.testing.assert_close(logits, theirs_of(other)(tokens).logits)


@pytest.mark.parametrize("config", [LLAMA, MODERNBERT], ids=["llama", "modernbert"])
def test_a_document_among_others_has_the_logits_that_it_has_alone(config: ModelConfig) -> None:
    """Positions go on through a row; what turns by them sees only how far apart tokens stand."""
    model, tokens = strong(config), tokens_of(0, 1, 40)
    lengths = (9, 20, 11)
    logits = model(tokens, torch.arange(3).repeat_interleave(torch.tensor(lengths))[None])
    alone = [theirs_of(model)(part).logits for part in tokens.split(lengths, dim=1)]
    torch.testing.assert_close(logits, torch.cat(alone, dim=1), rtol=1e-4, atol=1e-4)
    assert (logits - model(tokens)).abs().max() > 0.1
