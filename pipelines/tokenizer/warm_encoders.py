"""Encoders that keep, from one partition to the next, the chunks that they have seen.

A process packs many partitions with one model, and each would begin with an empty table. Here an
encoder is lent to whoever packs, and taken back. Ids do not depend on what an encoder has seen, so
that no byte tells which one was lent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.tokenizer.encoder import ChunkEncoder

MAX_IDLE_BYTES = 512 << 20


class WarmEncoders:
    """Lends encoders, each to one thread at a time; may be used by many threads.

    Tables of encoders that nobody uses take up to ``max_idle_bytes``; those that were given back
    first are let go, and so are all of other models than the last.
    """

    def __init__(self, max_idle_bytes: int = MAX_IDLE_BYTES) -> None:
        self._max_idle_bytes = max_idle_bytes
        self._lock = threading.Lock()
        self._model = b""
        self._idle: list[ChunkEncoder] = []

    @property
    def idle_bytes(self) -> int:
        """Memory that the tables of encoders that are not lent take."""
        return sum(encoder.table_bytes for encoder in self._idle)

    @contextmanager
    def lent(self, model: bytes) -> Iterator[ChunkEncoder]:
        """Lend an encoder of a model. After an error it is not lent again: it may be half filled.

        Raises:
            Damaged: if ``model`` is not a SentencePiece model.
        """
        encoder = self._take(model) or ChunkEncoder(model)
        yield encoder
        self._give_back(model, encoder)

    def _take(self, model: bytes) -> ChunkEncoder | None:
        with self._lock:
            if model != self._model:
                self._model, self._idle = model, []
            return self._idle.pop() if self._idle else None

    def _give_back(self, model: bytes, encoder: ChunkEncoder) -> None:
        with self._lock:
            if model == self._model:
                self._idle.append(encoder)
            while self.idle_bytes > self._max_idle_bytes:
                self._idle.pop(0)


WARM_ENCODERS = WarmEncoders()
