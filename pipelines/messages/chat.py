"""A chat template: conversations as ids, with a mask of what a model is asked for.

::

    <s> <|user|> … <|end|> <|assistant|> … <|end|> </s>
     0     0     0    0          0       1    1     1

Asked for are what the assistant says, its end, and the end of a conversation that it ends. Marks
are control symbols of the tokenizer: SentencePiece makes none from text, whatever it spells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_contracts.errors import InputError
from data_contracts.tokenizer import Tokenizer
from pipelines.messages.conversations import Conversation, Turn
from pipelines.tokenizer.model_proto import PieceType, read_spec


@dataclass(frozen=True)
class ChatConfig:
    """The control symbols that open a turn of each role, and the one that ends every turn.

    A tokenizer has them if its recipe lists them: ``tokenizer.control_symbols``.
    """

    system: str = "<|system|>"
    user: str = "<|user|>"
    assistant: str = "<|assistant|>"
    end: str = "<|end|>"


@dataclass(frozen=True)
class Sample:
    """One document of a shard: int32 ids [T], uint8 mask [T], and the bytes of all its content."""

    name: str
    ids: np.ndarray
    mask: np.ndarray
    num_bytes: int


@dataclass(frozen=True)
class SetAside:
    """A part of a conversation that is in no sample, why, and the tokens that it would have.

    Reasons: ``messages.too_long`` (one exchange does not fit), ``messages.unanswered``.
    """

    name: str
    reason: str
    num_tokens: int


@dataclass(frozen=True)
class _Part:
    """One turn as ids and mask."""

    role: str
    ids: np.ndarray
    mask: np.ndarray
    num_bytes: int


class ChatTemplate:
    """Turns conversations into samples.

    Raises:
        InputError: if the tokenizer has not every mark as a control symbol of its own.
    """

    def __init__(self, tokenizer: Tokenizer, config: ChatConfig) -> None:
        pieces = read_spec(tokenizer.model).pieces
        controls = {
            p.text: number for number, p in enumerate(pieces) if p.type is PieceType.CONTROL
        }
        marks = vars(config)
        missing = sorted(set(marks.values()) - set(controls))
        if missing or len(set(marks.values())) < len(marks):
            raise InputError(
                f"the tokenizer has no control symbol {', '.join(missing) or 'for each mark'}; "
                f"list {', '.join(marks.values())} in tokenizer.control_symbols and train it again."
            )
        self._tokenizer, self._vocabulary = tokenizer, tokenizer.vocabulary
        self._marks = {name: controls[symbol] for name, symbol in marks.items()}

    def samples(self, conversation: Conversation, max_tokens: int) -> Iterator[Sample | SetAside]:
        """Yield a conversation as one sample, or as several of at most ``max_tokens`` tokens.

        It is divided before turns of the user; a system turn stands before each part. What cannot
        be divided so is set aside.

        Raises:
            InputError: if nothing in the conversation would be asked for; it is named.
        """
        parts = [self._part(turn) for turn in conversation.turns]
        if not any(part.mask.any() for part in parts):
            raise InputError(
                f"{conversation.name} trains on nothing: its assistant says nothing; remove it, or "
                f"give it an answer."
            )
        first = parts[:1] if parts[0].role == "system" else []
        around = 2 + _size(first)
        for group in _groups(_exchanges(parts[len(first) :]), max_tokens - around):
            num_tokens = around + _size(group)
            if num_tokens > max_tokens:
                yield SetAside(conversation.name, "messages.too_long", num_tokens)
            elif not any(part.mask.any() for part in group):
                yield SetAside(conversation.name, "messages.unanswered", num_tokens)
            else:
                yield self._sample(conversation.name, [*first, *group])

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """Return the ids of turns up to where the assistant is to answer, BOS in front."""
        parts = [self._part(turn).ids for turn in turns]
        ids = np.concatenate([[self._vocabulary.bos_id], *parts, [self._marks["assistant"]]])
        return [int(number) for number in ids]

    @property
    def end_id(self) -> int:
        """The id that ends every turn."""
        return self._marks["end"]

    def _part(self, turn: Turn) -> _Part:
        content = self._tokenizer.encode(turn.content)
        ids = np.concatenate([[self._marks[turn.role]], content, [self._marks["end"]]])
        mask = np.full(len(ids), turn.role == "assistant" and len(content) > 0, np.uint8)
        mask[0] = 0
        return _Part(turn.role, ids.astype(np.int32), mask, len(turn.content.encode()))

    def _sample(self, name: str, parts: list[_Part]) -> Sample:
        bos, eos = [self._vocabulary.bos_id], [self._vocabulary.eos_id]
        ids = np.concatenate([bos, *(part.ids for part in parts), eos]).astype(np.int32)
        mask = np.concatenate([[0], *(part.mask for part in parts), parts[-1].mask[-1:]])
        return Sample(name, ids, mask.astype(np.uint8), sum(part.num_bytes for part in parts))


def _exchanges(parts: list[_Part]) -> list[list[_Part]]:
    """Return turns in runs that begin with one of the user's, but perhaps the first."""
    runs: list[list[_Part]] = []
    for part in parts:
        if part.role == "user" or not runs:
            runs.append([])
        runs[-1].append(part)
    return runs


def _groups(exchanges: list[list[_Part]], room: int) -> Iterator[list[_Part]]:
    """Yield as many exchanges as have room together, in order; one that has none by itself."""
    group: list[_Part] = []
    for exchange in exchanges:
        if group and _size(group) + _size(exchange) > room:
            yield group
            group = []
        group = group + exchange
    if group:
        yield group


def _size(parts: list[_Part]) -> int:
    return sum(len(part.ids) for part in parts)
