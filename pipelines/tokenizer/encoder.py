"""The ids of texts, as SentencePiece gives them, by looking up the chunks that texts repeat.

A text is cut where its ids are sure to be those of its chunks (`pipelines.tokenizer.boundaries`).
A chunk that is new is encoded once (`pipelines.tokenizer.new_chunks`), and a compiled table
remembers it (`pipelines.kernels.chunk_table`). With a unigram model the sum of scores that a text
has come to can decide between two equally good divisions of a chunk: such a chunk is searched each
time, with that sum (`pipelines.tokenizer.unigram_chunks`).
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sentencepiece import SentencePieceProcessor

from data_contracts.errors import InputError
from data_contracts.lower_block import LowerBlocks
from pipelines.kernels.buffers import TextBuffers, text_buffers
from pipelines.kernels.chunk_ids import Ids, Marks, count_ids, emit, emit_searched, no_ids
from pipelines.kernels.chunk_table import (
    MAX_TRUST,
    ChunkTable,
    Misses,
    NewIds,
    empty_table,
    look_up,
    misses_of,
    room_for_misses,
    settle,
    with_room,
    with_slots,
)
from pipelines.kernels.chunks import cut_chunks, room_for_chunks
from pipelines.kernels.joined_pairs import slot_shift
from pipelines.kernels.spaces import normalise_spaces
from pipelines.tokenizer.boundaries import joined_pairs, why_not_cut
from pipelines.tokenizer.model_proto import read_spec, without_normalisation
from pipelines.tokenizer.new_chunks import NewChunks, ask, slices
from pipelines.tokenizer.unigram_chunks import UnigramChunks

PORTION = 1 << 15  # chunks that are looked up at a time
MAX_TABLE_BYTES = 256 << 20

_FEWEST_SLOTS = 4 * PORTION


class Encoded(NamedTuple):
    """Ids of ``n`` texts: text ``i`` has ``ids[offsets[i]:offsets[i + 1]]``.

    ``offsets`` int64 [n + 1], ``ids`` int32.
    """

    offsets: np.ndarray
    ids: np.ndarray


class ChunkEncoder:
    """Encodes texts with a SentencePiece model; for one thread at a time.

    Ids do not depend on what was encoded before. The table grows up to about ``max_table_bytes``;
    when it is full it begins again, empty.

    ``why_whole`` says why every text is encoded whole, or is None. ``num_texts`` counts texts and
    ``num_whole`` those encoded whole; ``num_chunks`` chunks of the others, ``num_new`` those that
    the table did not know, ``num_searched`` those of a unigram model that were searched with the
    sum before.

    Raises:
        Damaged: if ``model`` is not a SentencePiece model.
    """

    def __init__(self, model: bytes, *, max_table_bytes: int = MAX_TABLE_BYTES) -> None:
        spec = read_spec(model)
        self.why_whole = why_not_cut(spec)
        self.num_texts = self.num_whole = 0
        self.num_chunks = self.num_new = self.num_searched = 0
        self._spec = spec
        self._whole = SentencePieceProcessor(model_proto=model)
        self._unigram = UnigramChunks(spec) if spec.model_type == "unigram" else None
        plain = SentencePieceProcessor(model_proto=without_normalisation(model))
        if self._unigram and not self.why_whole and not self._unigram.agree_with(plain):
            self.why_whole = "this SentencePiece adds scores up in another way than searches here"
        self._new = self._unigram or NewChunks(plain, spec)
        self._joined = joined_pairs(spec)
        self._unknown = -1 if spec.byte_fallback else self._whole.unk_id()
        self._max_table_bytes = max_table_bytes
        self._table = empty_table(_FEWEST_SLOTS)

    @property
    def table_bytes(self) -> int:
        """Memory that the table takes."""
        return self._table.size_bytes

    @property
    def may_change_texts(self) -> bool:
        """Whether ids may stand for another text: the model normalises or removes spaces."""
        return bool(self._spec.charsmap) or self._spec.remove_extra_spaces

    @cached_property
    def lower_blocks(self) -> LowerBlocks:
        """What exchanges U+2581 in texts (`pipelines.tokenizer.exact_ids`)."""
        return LowerBlocks(self._whole)

    def encode(self, texts: pa.Array, *, bos: int = -1, eos: int = -1) -> Encoded:
        """Return the ids of each text, between ``bos`` and ``eos`` where they are not -1.

        Raises:
            UsageError: if ``texts`` are no column of strings, or one is null.
            InputError: if a text is not UTF-8, or if more of one than SentencePiece has
                memory for would have to be encoded at once.
        """
        buffers = _checked(texts)
        marks = Marks(bos, eos, self._unknown)
        self.num_texts += buffers.num_texts
        if self.why_whole:
            return self._encode_whole(buffers, marks)
        spec = self._spec
        prefix = spec.add_dummy_prefix and not spec.space_is_suffix
        suffix = spec.add_dummy_prefix and spec.space_is_suffix
        normal = normalise_spaces(buffers, spec.remove_extra_spaces, prefix, suffix)
        return self._encode_chunks(normal, marks)

    def _encode_whole(self, texts: TextBuffers, marks: Marks) -> Encoded:
        """Return the ids of texts as SentencePiece gives them."""
        self.num_whole += texts.num_texts
        pieces = slices(texts.data, texts.offsets[:-1], texts.offsets[1:])
        ids, offsets = ask(self._whole, pieces)
        before, after = [marks.bos] * (marks.bos >= 0), [marks.eos] * (marks.eos >= 0)
        framed = [
            part for start, end in pairwise(offsets) for part in (before, ids[start:end], after)
        ]
        num_marks = (len(before) + len(after)) * np.arange(offsets.size)
        return Encoded(offsets + num_marks, np.concatenate([*framed, []]).astype(np.int32))

    def _encode_chunks(self, texts: TextBuffers, marks: Marks) -> Encoded:
        """Return the ids of texts by their chunks."""
        done = no_ids(texts.num_texts)
        out = np.empty((texts.data.size >> 2) + PORTION, np.int32)
        chunks, misses = room_for_chunks(PORTION), room_for_misses(PORTION)
        values = np.empty(PORTION, np.int64)
        shift = slot_shift(self._joined.others)
        row, at = 0, int(texts.offsets[0])
        while row < texts.num_texts:
            table = self._with_free_slots()
            begin = at
            row, at, num_cut = cut_chunks(
                *texts, row, at, *self._joined, shift, table.seed, *chunks
            )
            self.num_chunks += num_cut
            ends, keys, found = chunks.ends[:num_cut], chunks.keys[:num_cut], values[:num_cut]
            num_missed = look_up(texts.data, begin, ends, keys, table, found, misses)
            new = self._settle(texts.data, misses_of(misses, num_missed))
            out = self._emit(texts.data, begin, ends, found, new, marks, out, done)
        return Encoded(done.offsets, out[: done.num_written])

    def _emit(
        self,
        data: np.ndarray,
        begin: int,
        ends: np.ndarray,
        found: np.ndarray,
        new: NewIds,
        marks: Marks,
        out: np.ndarray,
        done: Ids,
    ) -> np.ndarray:
        """Write the ids of a portion's chunks; return the array that they are in, grown perhaps."""
        records = self._table.ids
        num_ids = count_ids(found, new.offsets)
        if self._unigram is None:
            out = _with_space(out, done.num_written, num_ids)
            emit(found, records, new, marks, out, done)
            return out
        num_ids += self._unigram.most_ids(int(ends[-1]) - begin)
        out = _with_space(out, done.num_written, num_ids)
        self.num_searched += emit_searched(
            found, records, new, data, begin, ends, self._unigram.model, marks, out, done
        )
        return out

    def _with_free_slots(self) -> ChunkTable:
        """Return the table with room for a portion of misses: larger, or begun again."""
        table, more = self._table, 0
        if table.num_chunks + PORTION > table.num_slots // 2:
            more = table.slots.nbytes
        if table.size_bytes + more > self._max_table_bytes:
            self._table = empty_table(_FEWEST_SLOTS)
        elif more:
            self._table = with_slots(table, 2 * table.num_slots)
        return self._table

    def _settle(self, data: np.ndarray, misses: Misses) -> NewIds:
        """Put misses into the table; return their ids and their trust."""
        num_new = misses.starts.size
        self.num_new += num_new
        ids, offsets = self._new.encode(data, misses.starts, misses.ends)
        trusts = np.full(num_new, MAX_TRUST)
        if self._unigram and num_new:
            chunks = slices(data, misses.starts, misses.ends)
            trusts = self._unigram.trusts(chunks, ids, offsets)
        num_bytes = int((misses.ends - misses.starts)[misses.slots >= 0].sum())
        table = with_room(self._table, num_bytes, ids.size + num_new)
        new = NewIds(ids, offsets, trusts)
        settle(data, misses, new, table)
        self._table = table
        return new


def _checked(texts: pa.Array) -> TextBuffers:
    """Return the buffers of texts that are UTF-8, without which a chunk could end anywhere."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"a text is not UTF-8 ({error}); ingest it again.") from error
    return text_buffers(texts)


def _with_space(out: np.ndarray, used: int, more: int) -> np.ndarray:
    if used + more <= out.size:
        return out
    grown = np.empty(max(out.size * 3 // 2, used + more), out.dtype)
    grown[:used] = out[:used]
    return grown
