"""The decoder against loops written from its equations; what a token may and may not see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from data_contracts.errors import UsageError
from training.model import Transformer, new_model
from training.model_config import SHAPES, ModelConfig
from training.objectives import Batch, token_losses
from training.presets import preset

SMALL = ModelConfig(
    vocab_size=61,
    num_layers=2,
    width=32,
    num_heads=4,
    num_kv_heads=2,
    feed_forward_width=48,
    context_tokens=24,
    rope_base=500.0,
)


def naive_logits(model: Transformer, tokens: list[int], documents: list[int]) -> Tensor:
    """Return logits [T, V] of one row in float64, token by token, from the published equations."""
    c = model.config
    w = {name: tensor.double() for name, tensor in model.state_dict().items()}
    size = c.width // c.num_heads
    x = [w["embedding.weight"][token] for token in tokens]
    for layer in range(c.num_layers):
        p = f"blocks.{layer}."
        q_rows = c.num_heads * size
        kv_rows = c.num_kv_heads * size
        weight = w[p + "attention.query_key_value.weight"]
        wq, wk, wv = weight[:q_rows], weight[q_rows : q_rows + kv_rows], weight[q_rows + kv_rows :]
        normed = [naive_norm(v, w[p + "attention_norm.weight"], c.norm_epsilon) for v in x]
        for t in range(len(tokens)):
            heads = []
            for h in range(c.num_heads):
                g = h * c.num_kv_heads // c.num_heads
                rows, group = slice(h * size, (h + 1) * size), slice(g * size, (g + 1) * size)
                query = naive_rotate(wq[rows] @ normed[t], t, c.rope_base)
                seen = [s for s in range(t + 1) if documents[s] == documents[t]]
                scores = torch.stack(
                    [query @ naive_rotate(wk[group] @ normed[s], s, c.rope_base) for s in seen]
                )
                shares = torch.exp(scores / math.sqrt(size))
                shares = shares / shares.sum()
                values = [wv[group] @ normed[s] for s in seen]
                heads.append(sum(a * v for a, v in zip(shares, values, strict=True)))
            x[t] = x[t] + w[p + "attention.output.weight"] @ torch.cat(heads)
        gate_value = w[p + "feed_forward.gate_value.weight"]
        for t in range(len(tokens)):
            v = naive_norm(x[t], w[p + "feed_forward_norm.weight"], c.norm_epsilon)
            gate = gate_value[: c.feed_forward_width] @ v
            inner = gate / (1 + torch.exp(-gate)) * (gate_value[c.feed_forward_width :] @ v)
            x[t] = x[t] + w[p + "feed_forward.output.weight"] @ inner
    last = [naive_norm(v, w["norm.weight"], c.norm_epsilon) for v in x]
    return torch.stack([w["embedding.weight"] @ v for v in last])


def naive_norm(v: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return v / math.sqrt(float((v * v).sum()) / len(v) + epsilon) * weight


def naive_rotate(v: Tensor, position: int, base: float) -> Tensor:
    out, half = v.clone(), len(v) // 2
    for i in range(half):
        angle = position * base ** (-2 * i / len(v))
        a, b = v[i], v[i + half]
        out[i] = a * math.cos(angle) - b * math.sin(angle)
        out[i + half] = b * math.cos(angle) + a * math.sin(angle)
    return out


def strong(config: ModelConfig = SMALL) -> Transformer:
    """Return a model whose parts all matter: large weights, norms other than 1."""
    model = new_model(config, seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
            else:
                parameter.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(1))
    return model


def tokens_of(seed: int, *shape: int) -> Tensor:
    return torch.randint(SMALL.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("documents", [None, [0] * 5 + [1] * 3 + [2] * 9])
def test_logits_are_those_of_the_equations(documents: list[int] | None) -> None:
    model, tokens = strong(), tokens_of(0, 17)
    numbers = None if documents is None else torch.tensor([documents])
    ours = model(tokens[None], numbers)[0]
    theirs = naive_logits(model, tokens.tolist(), documents or [0] * 17).float()
    assert theirs.std() > 0.5  # a test of zeros would pass with anything
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_what_stands_in_another_document_changes_no_bit() -> None:
    model = strong()
    documents = torch.tensor([[0] * 9 + [1] * 8 + [2] * 7])
    one = tokens_of(0, 1, 24)
    other = one.clone()
    other[:, :9] = tokens_of(1, 1, 9)
    other[:, 17:] = tokens_of(2, 1, 7)
    before, after = model(one, documents), model(other, documents)
    assert torch.equal(before[:, 9:17], after[:, 9:17])
    assert not torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(model(one)[:, 9:17], model(other)[:, 9:17])  # unmasked, it leaks


@pytest.mark.parametrize("masked", [False, True])
def test_no_token_sees_what_follows(masked: bool) -> None:
    model = strong()
    documents = torch.zeros(1, 24, dtype=torch.int64) if masked else None
    one = tokens_of(0, 1, 24)
    for t in (0, 11, 22):
        other = one.clone()
        other[:, t + 1 :] = tokens_of(4, 1, 23 - t)
        before, after = model(one, documents), model(other, documents)
        assert torch.equal(before[:, : t + 1], after[:, : t + 1])
        assert not torch.equal(before[:, t + 1 :], after[:, t + 1 :])


@pytest.mark.parametrize(("depth", "vocab_size"), [(2, 4096), (4, 65), (4, 4096), (6, 16000)])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_loss_is_that_of_knowing_nothing(shape: str, depth: int, vocab_size: int) -> None:
    model = new_model(preset(depth, vocab_size, 64, shape), seed=0)
    tokens = torch.randint(vocab_size, (4, 65), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model(tokens[:, :-1]).flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten()).item()
    above_ratio = loss / math.log(vocab_size) - 1
    assert abs(above_ratio) < 0.01
    expected = 0.2 * model.config.width**-0.5
    assert model.head_weight.detach().std().item() == pytest.approx(expected, rel=0.05)


def test_a_seed_draws_the_same_weights_and_another_others() -> None:
    first, again, other = (new_model(SMALL, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    matrices = [name for name in first if first[name].ndim == 2]
    assert len(matrices) == 9
    assert not any(torch.equal(first[name], other[name]) for name in matrices)


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"width": 36}, {"num_kv_heads": 3}, {"vocab_size": -1}]
)
def test_an_impossible_shape_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"model.{next(iter(wrong))} is"):
        ModelConfig(**{**vars(SMALL), **wrong})


@pytest.mark.slow
def test_compiled_it_is_the_same_model_but_for_rounding() -> None:
    plain, compiled = strong(), strong()
    compiled.compile_parts()
    tokens, documents = tokens_of(0, 2, 24), torch.tensor([[0] * 9 + [1] * 15, [0] * 24])
    losses = []
    for model in (plain, compiled):
        batch = Batch(tokens, documents, tokens_of(1, 2, 24))
        losses.append(token_losses(model, batch))
        losses[-1].sum().backward()
    assert list(plain.state_dict()) == list(compiled.state_dict())
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-4)
    for (name, ours), theirs in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        error = (ours.grad - theirs.grad).norm() / theirs.grad.norm()
        assert error < 1e-4, name
