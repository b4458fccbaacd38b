"""The norm against its equation and torch's own, forward and backward."""

from __future__ import annotations

import pytest
import torch

from training.norm import FewPasses, Norm

EPSILON = 1e-2  # large enough to matter


@pytest.mark.parametrize("shape", [(7,), (5, 7), (2, 3, 7)])
def test_it_is_torchs_norm(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = Norm(7, EPSILON), torch.nn.RMSNorm(7, eps=EPSILON)
    with torch.no_grad():
        ours.weight.uniform_(0.5, 2, generator=generator)
        theirs.weight.copy_(ours.weight)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, pull = (torch.randn(*shape, generator=generator) for _ in range(2))
    y = x.clone()
    for norm, vectors in ((ours, x.requires_grad_()), (theirs, y.requires_grad_())):
        (norm(vectors) * pull).sum().backward()
    torch.testing.assert_close(ours(x), theirs(y))
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    assert x.grad.abs().max() > 0.1


def test_its_gradients_are_those_of_small_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    x, weight = (torch.randn(*s, generator=generator).double() for s in ((4, 6), (6,)))
    assert torch.autograd.gradcheck(
        FewPasses.apply, (x.requires_grad_(), weight.requires_grad_(), EPSILON)
    )


def test_a_vector_of_zeros_stays_one() -> None:
    x = torch.zeros(2, 7, requires_grad=True)
    Norm(7, EPSILON)(x).sum().backward()
    assert x.grad.tolist() == [[10.0] * 7] * 2  # 1 / sqrt(epsilon)
