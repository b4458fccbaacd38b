"""Chunked losses: those of the whole in any chunks, without the memory of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from data_contracts.errors import UsageError
from training import cross_entropy
from training.config import LossTerms
from training.cross_entropy import chunks_of, cross_entropies

N, V, W = 50, 97, 8


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def targets() -> Tensor:
    drawn_N = torch.randint(V, (N,), generator=torch.Generator().manual_seed(2))
    drawn_N[::7] = -100
    return drawn_N


def leaves(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    hidden_NW, weight_VW = drawn(N, W), drawn(V, W, seed=1)
    return hidden_NW.to(dtype).requires_grad_(), weight_VW.to(dtype).requires_grad_()


def by_the_book(weights_N: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """Return losses and gradients in float64, from all logits at once."""
    hidden_NW, weight_VW = leaves(torch.float64)
    losses_N = F.cross_entropy(F.linear(hidden_NW, weight_VW), targets(), reduction="none")
    (losses_N * weights_N).sum().backward()
    assert hidden_NW.grad is not None
    assert weight_VW.grad is not None
    return losses_N.detach(), hidden_NW.grad, weight_VW.grad


@pytest.fixture(params=[1, 7, 25, 50, 1000])
def chunk_tokens(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    in_chunks(request.param, monkeypatch)
    return int(request.param)


def in_chunks(num_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "MIN_CHUNK_TOKENS", 1)
    monkeypatch.setattr(cross_entropy, "CHUNK_BYTES", {"cpu": 4 * V * num_tokens})


def test_a_large_vocabulary_does_not_make_chunks_of_few_tokens() -> None:
    sizes = {
        vocab_size: [len(part) for (part,) in chunks_of(vocab_size, torch.zeros(3000))]
        for vocab_size in (1024, 4096, 50_304, 1_000_000)
    }
    assert sizes[1024] == [1024, 1024, 952]
    assert sizes[4096] == sizes[50_304] == sizes[1_000_000] == [256] * 11 + [184]


@pytest.mark.parametrize("weights", ["all alike", "one by one"])
def test_any_chunks_give_the_losses_and_gradients_of_the_whole(
    chunk_tokens: int, weights: str
) -> None:
    weights_N = drawn(N, seed=3) if weights == "one by one" else torch.tensor(1 / 43)
    hidden_NW, weight_VW = leaves()
    losses_N = cross_entropies(hidden_NW, weight_VW, targets())
    if weights == "one by one":
        (losses_N * weights_N).sum().backward()
    else:
        (losses_N.view(5, 10).sum() * weights_N).backward()
    found = losses_N, hidden_NW.grad, weight_VW.grad
    for ours, theirs in zip(found, by_the_book(weights_N.double()), strict=True):
        assert ours is not None
        assert ours.dtype == torch.float32
        assert theirs.abs().max() > 0.1
        assert (ours.double() - theirs).abs().max() / theirs.abs().max() < 1e-6
    assert losses_N[targets() == -100].tolist() == [0.0] * 8


@pytest.mark.parametrize("weights", ["all alike", "one by one"])
def test_a_bias_is_added_to_the_logits_and_gets_its_gradient(
    chunk_tokens: int, weights: str
) -> None:
    weights_N = drawn(N, seed=3) if weights == "one by one" else torch.tensor(1 / 43)
    found = []
    for dtype in (torch.float32, torch.float64):
        head = (*leaves(dtype), drawn(V, seed=4).to(dtype).requires_grad_())
        if dtype == torch.float32:
            losses_N = cross_entropies(*head[:2], targets(), bias_V=head[2])
            with torch.no_grad():
                again = cross_entropies(*head[:2], targets(), bias_V=head[2])
            assert torch.equal(losses_N, again)
        else:
            losses_N = F.cross_entropy(F.linear(*head), targets(), reduction="none")
        if weights == "one by one":
            (losses_N * weights_N).sum().backward()
        else:
            (losses_N.sum() * weights_N).backward()
        found.append([losses_N.detach(), *(leaf.grad for leaf in head)])
    for ours, theirs in zip(*found, strict=True):
        assert theirs.abs().max() > 0.05
        assert (ours.double() - theirs).abs().max() / theirs.abs().max() < 1e-6


@pytest.mark.parametrize("weights", ["all alike", "one by one"])
@pytest.mark.parametrize(
    "terms", [LossTerms(0.1), LossTerms(z_loss=0.01), LossTerms(label_smoothing=0.3, z_loss=0.1)]
)
def test_terms_of_the_loss_are_those_of_their_definitions(
    chunk_tokens: int, terms: LossTerms, weights: str
) -> None:
    weights_N = drawn(N, seed=3) if weights == "one by one" else torch.tensor(1 / 43)
    ours, theirs = leaves(), leaves(torch.float64)
    losses_N = cross_entropies(*ours, targets(), terms=terms)
    with torch.no_grad():
        assert torch.equal(losses_N, cross_entropies(*ours, targets(), terms=terms))
    logits_NV = F.linear(*theirs)
    smooth_N = F.cross_entropy(
        logits_NV, targets(), reduction="none", label_smoothing=terms.label_smoothing
    )
    z_N = terms.z_loss * logits_NV.logsumexp(1).square() * (targets() >= 0)
    book_N = smooth_N + z_N
    if weights == "one by one":
        (losses_N * weights_N).sum().backward()
    else:
        (losses_N.sum() * weights_N).backward()
    (book_N * weights_N).sum().backward()
    pairs = [(losses_N, book_N), *((o.grad, t.grad) for o, t in zip(ours, theirs, strict=True))]
    for mine, book in pairs:
        assert book.abs().max() > 0.05
        assert (mine.double() - book).abs().max() / book.abs().max() < 2e-6
    plain = F.cross_entropy(logits_NV, targets(), reduction="none")
    assert (plain - book_N).abs().max() > 1e-3


def test_impossible_terms_are_refused() -> None:
    with pytest.raises(UsageError, match=r"label_smoothing is 1.0; give 0 up to below 1"):
        LossTerms(label_smoothing=1.0)
    with pytest.raises(UsageError, match=r"z_loss is -1; give 0 or more"):
        LossTerms(z_loss=-1)


def test_without_a_gradient_the_losses_are_the_same_bits(chunk_tokens: int) -> None:
    hidden_NW, weight_VW = leaves()
    losses_N = cross_entropies(hidden_NW, weight_VW, targets())
    with torch.no_grad():
        assert torch.equal(cross_entropies(hidden_NW, weight_VW, targets()), losses_N)


def test_summed_losses_go_through_the_logits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = cross_entropy.losses_and_errors

    def counted(logits_CV: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(len(logits_CV))
        return real(logits_CV, targets_C)

    in_chunks(20, monkeypatch)
    monkeypatch.setattr(cross_entropy, "losses_and_errors", counted)
    (cross_entropies(*leaves(), targets()).view(10, 5).sum() / 43).backward()
    assert calls == [20, 20, 10]
    (cross_entropies(*leaves(), targets()) * drawn(N)).sum().backward()
    assert calls == [20, 20, 10] * 3


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    hidden_NW, weight_VW = leaves()
    cross_entropies(hidden_NW.detach(), weight_VW, targets()).sum().backward()
    assert torch.allclose(weight_VW.grad.double(), by_the_book(1.0)[2], atol=1e-4)
    cross_entropies(hidden_NW, weight_VW.detach(), targets()).sum().backward()
    assert torch.allclose(hidden_NW.grad.double(), by_the_book(1.0)[1], atol=1e-4)


def test_in_bfloat16_the_losses_are_those_of_bfloat16_logits() -> None:
    hidden_NW, weight_VW = leaves()
    with torch.autocast("cpu", torch.bfloat16):
        logits_NV = F.linear(hidden_NW, weight_VW)
        losses_N = cross_entropies(hidden_NW, weight_VW, targets())
    assert logits_NV.dtype == torch.bfloat16
    theirs_N = F.cross_entropy(logits_NV.float(), targets(), reduction="none")
    assert torch.equal(losses_N, theirs_N)
    losses_N.sum().backward()
    _, hidden_grad, weight_grad = by_the_book(1.0)
    for ours, theirs in ((hidden_NW.grad, hidden_grad), (weight_VW.grad, weight_grad)):
        assert ours.dtype == torch.float32
        error = (ours.double() - theirs).norm() / theirs.norm()
        assert 1e-5 < error < 1e-2  # rounded, and to no less than bfloat16


class Sizes(TorchDispatchMode):
    """Notes how many elements each tensor has that is made meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sizes = [t.numel() for t in tree_leaves(out) if isinstance(t, Tensor)]
        self.largest = max([self.largest, *sizes])
        return out


@contextmanager
def watched() -> Iterator[Sizes]:
    with Sizes() as sizes:
        yield sizes


def test_the_logits_of_all_tokens_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    in_chunks(16, monkeypatch)
    with watched() as whole:
        hidden_NW, weight_VW = leaves()
        F.cross_entropy(F.linear(hidden_NW, weight_VW), targets()).backward()
    with watched() as chunked:
        cross_entropies(*leaves(), targets()).sum().backward()
    assert whole.largest == N * V
    assert chunked.largest == 16 * V


@pytest.mark.slow
def test_compiled_losses_are_the_same_but_for_rounding() -> None:
    for compiled in (False, True):
        hidden_NW, weight_VW = leaves()
        losses_N = cross_entropies(hidden_NW, weight_VW, targets(), compiled)
        losses_N.sum().backward()
        found = losses_N, hidden_NW.grad, weight_VW.grad
        for ours, theirs in zip(found, by_the_book(1.0), strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
