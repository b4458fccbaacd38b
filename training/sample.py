"""Text from a model: it goes on from a prompt, one token at a time.

Shapes: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from data_contracts.errors import UsageError
from data_contracts.lower_block import encode_prompt
from training.model import Transformer
from training.reading import Reader
from training.sampling import Sampling, check_prompt

_LONGEST_CHARACTER_BYTES = 4


def generate(
    model: Transformer, tokenizer: SentencePieceProcessor, prompt: str, sampling: Sampling
) -> str:
    """Return the prompt and what the model adds, until it ends the document or reaches the limit.

    Raises UsageError if the tokenizer has more pieces than the model.
    """
    return prompt + "".join(generate_stream(model, tokenizer, prompt, sampling))


def generate_stream(
    model: Transformer, tokenizer: SentencePieceProcessor, prompt: str, sampling: Sampling
) -> Iterator[str]:
    """Yield what the model adds to a prompt, as it comes, in whole characters.

    Its ids are those that training read for the same text, U+2581 included. Raises UsageError at
    once if the prompt is no text, or the tokenizer is not the model's.
    """
    check_prompt(prompt)
    check_vocabulary(model, tokenizer)
    prompt_ids = encode_prompt(tokenizer, prompt)
    ids, stops = [tokenizer.bos_id(), *prompt_ids], (tokenizer.eos_id(),)
    return decode_stream(tokenizer, prompt_ids, following_ids(model, ids, stops, sampling))


def answer_stream(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    prompt_ids: list[int],
    end_id: int,
    sampling: Sampling,
) -> Iterator[str]:
    """Yield what the model answers, as it comes, in whole characters, until its turn ends.

    ``prompt_ids`` are all that comes before the answer, marks and BOS among them; ``end_id`` ends a
    turn, as EOS does. Raises UsageError at once if the tokenizer is not the model's.
    """
    check_vocabulary(model, tokenizer)
    stops = (end_id, tokenizer.eos_id())
    return decode_stream(tokenizer, [], following_ids(model, prompt_ids, stops, sampling))


def check_vocabulary(model: Transformer, tokenizer: SentencePieceProcessor) -> None:
    """Raise UsageError if a tokenizer has another number of pieces than a model."""
    if tokenizer.vocab_size() != model.config.vocab_size:
        raise UsageError(
            f"the tokenizer has {tokenizer.vocab_size()} pieces, the model "
            f"{model.config.vocab_size}; use the tokenizer it was trained with"
        )


def continue_ids(model: Transformer, ids: list[int], eos_id: int, sampling: Sampling) -> list[int]:
    """Return the ids that follow, without ``eos_id``; reads at most one context back."""
    return list(following_ids(model, ids, (eos_id,), sampling))


def following_ids(
    model: Transformer, ids: list[int], stop_ids: Sequence[int], sampling: Sampling
) -> Iterator[int]:
    """Yield the ids that follow, one by one, up to one of ``stop_ids``; reads a context back.

    Up to the model's context each id costs one token's work. Past it every id costs a whole
    context's: all positions move, so nothing that was computed can be kept.
    """
    generator = torch.Generator().manual_seed(sampling.seed)
    context_tokens = model.config.context_tokens
    model.eval()
    seen = list(ids)
    reader, fresh = Reader(model), seen[-context_tokens:]
    for _ in range(sampling.max_tokens):
        chosen = draw(reader.read(fresh).float().cpu(), sampling, generator)
        if chosen in stop_ids:
            return
        yield chosen
        seen.append(chosen)
        fresh = [chosen]
        if reader.num_tokens == context_tokens:
            reader, fresh = Reader(model), seen[-context_tokens:]


def draw(logits_V: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return one id drawn from the likeliest."""
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    best, ids = logits_V.topk(min(sampling.top_k, len(logits_V)))
    shares = torch.softmax(best / sampling.temperature, dim=0)
    return int(ids[torch.multinomial(shares, 1, generator=generator)])


def decode_stream(
    tokenizer: SentencePieceProcessor, before: Sequence[int], ids: Iterator[int]
) -> Iterator[str]:
    """Yield the text of ids that follow others, as soon as its characters are whole.

    The pieces, joined, are what decoding all at once adds to the text of ``before``. Bytes that
    become no character are U+FFFD.
    """
    seen = list(before)
    shown = len(tokenizer.decode(seen))
    for number in ids:
        seen.append(number)
        whole = len(seen) - pending_bytes(tokenizer, seen)
        text = tokenizer.decode(seen[:whole])
        if len(text) > shown:
            yield text[shown:]
            shown = len(text)
    text = tokenizer.decode(seen)
    if len(text) > shown:
        yield text[shown:]


def pending_bytes(tokenizer: SentencePieceProcessor, ids: Sequence[int]) -> int:
    """Return how many ids at the end are the first bytes of a character that is not yet whole."""
    for back in range(1, min(_LONGEST_CHARACTER_BYTES, len(ids) + 1)):
        if not tokenizer.is_byte(ids[-back]):
            return 0
        value = int(tokenizer.id_to_piece(ids[-back])[1:-1], 16)
        if value < 0x80 or value >= 0xF8:
            return 0
        if value >= 0xC0:  # the first byte of a character; it says how many there are
            length = 2 if value < 0xE0 else 3 if value < 0xF0 else 4
            return back if back < length else 0
    return 0


def load_processor(model: bytes) -> SentencePieceProcessor:
    """Return the processor of a tokenizer's model, as the functions here want it."""
    return SentencePieceProcessor(model_proto=model)
