"""Keys that stand in two partitions of a source: the first partition in their order keeps them.

A partition is read without knowing of the others, so this is seen once all of them stand. A later
one is then read anew with the ids that it has to set aside, which become part of its settings: what
it holds depends on what the sources hold, never on which file came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines.kernels.buffers import text_buffers
from store.step import Part, SourcePart

REASON = "ingest.duplicate_key"
SETTING = "repeated_ids"
MAX_REPEATED = 100_000  # of all partitions together; more of them are no slip, but a source twice


def set_aside_repeated(parts: Sequence[SourcePart], stored: Sequence[Part]) -> list[SourcePart]:
    """Return the partitions, those that have to set ids aside with these in their settings.

    ``stored`` are the partitions as they were read, in the same order. Where over `MAX_REPEATED`
    would be set aside none is, and the contract of documents stops the run.
    """
    prefixes = [_prefixes(part.table(["doc_id"])["doc_id"]) for part in stored]
    repeated = _repeated(prefixes)
    if not repeated.size:
        return list(parts)
    seen: set[str] = set()
    settled, num_repeated = [], 0
    for part, held, given in zip(parts, stored, prefixes, strict=True):
        rows = np.flatnonzero(np.isin(given, repeated))
        ids = held.table(["doc_id"])["doc_id"].take(pa.array(rows)).to_pylist() if rows.size else []
        again = sorted(seen.intersection(ids))
        seen.update(ids)
        num_repeated += len(again)
        settled.append(_with_setting(part, again) if again else part)
    return settled if num_repeated <= MAX_REPEATED else list(parts)


def _with_setting(part: SourcePart, ids: list[str]) -> SourcePart:
    return replace(part, settings={**part.settings, SETTING: ids})


def _prefixes(ids: pa.ChunkedArray) -> np.ndarray:
    """Return the first 64 bits of ids, which are of 32 hex digits."""
    buffers = text_buffers(pa.concat_arrays(ids.chunks) if ids.num_chunks else ids.combine_chunks())
    digits = buffers.data[buffers.offsets[0] : buffers.offsets[-1]].tobytes().decode("ascii")
    return np.frombuffer(bytes.fromhex(digits), dtype=np.uint64)[::2]


def _repeated(prefixes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the prefixes that stand more than once."""
    ordered = np.sort(np.concatenate([np.zeros(0, dtype=np.uint64), *prefixes]))
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
