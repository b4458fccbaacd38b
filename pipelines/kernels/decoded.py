"""What a measure of texts begins with: characters, decoded once, and words, found once.

`TextBatch` holds some texts and hands out their code points, and their words by each way of
dividing them that anybody asks for; whoever asks second gets what the first was given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data_contracts.errors import UsageError
from pipelines.kernels.buffers import TextBuffers, text_buffers

MAX_BATCH_BYTES = 2**31 - 1  # positions of characters are int32


class Codes(NamedTuple):
    """``n`` texts as code points: text ``i`` is ``codes[offsets[i]:offsets[i + 1]]``.

    ``offsets`` is int64 of length ``n + 1``, ``codes`` int32. A byte that is not valid UTF-8 is the
    surrogate ``0xDC00 + byte`` (`pipelines.kernels.utf8`).
    """

    offsets: np.ndarray
    codes: np.ndarray

    @property
    def num_texts(self) -> int:
        """How many texts there are."""
        return self.offsets.size - 1


class Words(NamedTuple):
    """The words of ``n`` texts: those of text ``i`` are ``offsets[i]:offsets[i + 1]``.

    Word ``w`` is ``codes[starts[w]:ends[w]]`` of the `Codes` that it was found in; it is never
    empty, and words stand in the order of the text and do not overlap. ``offsets`` is int64,
    ``starts`` and ``ends`` are int32.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


Splitter = Callable[[Codes], Words]


@dataclass(frozen=True)
class TextBatch:
    """Some texts and what is known of them: ``columns`` are others of their rows, as ``url``."""

    buffers: TextBuffers
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    @property
    def num_texts(self) -> int:
        """How many texts there are."""
        return self.buffers.num_texts

    @cached_property
    def codes(self) -> Codes:
        """The code points of the texts."""
        from pipelines.kernels.utf8 import decode_texts

        return decode_texts(self.buffers)

    @cached_property
    def _found(self) -> dict[Splitter, Words]:
        return {}

    @cached_property
    def _hashed(self) -> dict[Splitter, np.ndarray]:
        return {}

    def words(self, splitter: Splitter) -> Words:
        """Return the words of the texts, as ``splitter`` divides them."""
        if splitter not in self._found:
            self._found[splitter] = splitter(self.codes)
        return self._found[splitter]

    def word_hashes(self, splitter: Splitter) -> np.ndarray:
        """Return the 64-bit hash of each of `words` (`pipelines.kernels.hashing.hash_codes`)."""
        from pipelines.kernels.hashing import hash_words

        if splitter not in self._hashed:
            words = self.words(splitter)
            self._hashed[splitter] = hash_words(self.codes.codes, words.starts, words.ends)
        return self._hashed[splitter]


def text_batch(texts: pa.Array, columns: Mapping[str, pa.Array] | None = None) -> TextBatch:
    """Return the batch of an array of texts, with other columns of the same rows.

    Raises `UsageError` for nulls, for another type than string, and for 2 GiB of text or more.
    """
    buffers = text_buffers(texts)
    size = int(buffers.offsets[-1] - buffers.offsets[0])
    if size > MAX_BATCH_BYTES:
        raise UsageError(f"{size} bytes of text are too many for a batch; cut it into slices.")
    return TextBatch(buffers, columns or {})
