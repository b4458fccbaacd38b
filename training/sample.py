"""Text from a model: it goes on from a prompt, one token at a time.

Shapes: T tokens so far, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from data_contracts.errors import UsageError
from training.model import Decoder


@dataclass(frozen=True)
class Sampling:
    """How to draw: ``temperature`` 0 takes the likeliest; only the ``top_k`` likeliest are drawn.

    The same seed gives the same text on the same build of torch.
    """

    max_tokens: int = 200
    temperature: float = 0.8
    top_k: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.top_k < 1 or self.temperature < 0:
            raise UsageError(
                "max_tokens and top_k must be at least 1 and temperature at least 0; "
                f"they are {self.max_tokens}, {self.top_k} and {self.temperature}"
            )


def generate(
    model: Decoder, tokenizer: SentencePieceProcessor, prompt: str, sampling: Sampling
) -> str:
    """Return the prompt and what the model adds, until it ends the document or reaches the limit.

    Raises UsageError if the tokenizer has more pieces than the model.
    """
    if tokenizer.vocab_size() != model.config.vocab_size:
        raise UsageError(
            f"the tokenizer has {tokenizer.vocab_size()} pieces, the model "
            f"{model.config.vocab_size}; use the tokenizer it was trained with"
        )
    prompt_ids = tokenizer.encode(prompt)
    ids = continue_ids(model, [tokenizer.bos_id(), *prompt_ids], tokenizer.eos_id(), sampling)
    return tokenizer.decode([*prompt_ids, *ids])


@torch.no_grad()
def continue_ids(model: Decoder, ids: list[int], eos_id: int, sampling: Sampling) -> list[int]:
    """Return the ids that follow, without ``eos_id``; reads at most one context back."""
    generator = torch.Generator().manual_seed(sampling.seed)
    device = model.embedding.weight.device
    model.eval()
    added: list[int] = []
    while len(added) < sampling.max_tokens:
        seen = [*ids, *added][-model.config.context_tokens :]
        hidden_TW = model.hidden(torch.tensor([seen], device=device))[0]
        chosen = draw(model.head(hidden_TW[-1]).float().cpu(), sampling, generator)
        if chosen == eos_id:
            break
        added.append(chosen)
    return added


def draw(logits_V: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return one id drawn from the likeliest."""
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    best, ids = logits_V.topk(min(sampling.top_k, len(logits_V)))
    shares = torch.softmax(best / sampling.temperature, dim=0)
    return int(ids[torch.multinomial(shares, 1, generator=generator)])
