"""compare_candidates: candidates, signatures, documents -> pairs. What candidates have in common.

Every candidate is measured on the texts themselves, whatever is made of it later; so the rows are a
pure function of the set of documents, and another threshold measures nothing again. What was
measured of the same two texts before is taken from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import PAIRS
from pipelines.dedupe.measures import measure_pairs
from pipelines.dedupe.shelf import Shelf, shelve
from pipelines.dedupe.text_keys import text_keys
from pipelines.sql import query
from store.step import Inputs, Output, Part, Step

VERSION = 2
RULE_VERSION = 2  # of what is measured of a pair

_BATCH_PAIRS = 100_000
_MEASURES = [name for name in PAIRS.names if not name.endswith(("_id", "_hash"))]
_CENTRES = pa.schema(
    [
        pa.field("text_key", pa.uint64()),
        pa.field("doc_id", pa.string()),
        pa.field("text_hash", pa.string()),
    ]
)
_CENTRES_SQL = """
    SELECT any_value(text_key) AS text_key, min(doc_id) AS doc_id,
        arg_min(text_hash, doc_id) AS text_hash
    FROM named GROUP BY normal_hash ORDER BY doc_id
"""
_FEW = 1_000_000


@dataclass(frozen=True)
class CompareConfig:
    """Nothing is asked: what is measured of a pair is always the same."""


class Ends(NamedTuple):
    """Pairs of centres by their places, int64, in the order of their ids; left < right."""

    left: np.ndarray
    right: np.ndarray


def compare_candidates(inputs: Inputs, config: CompareConfig) -> Output:
    """Measure every pair of candidates, ordered by their ids.

    Of documents with one normalised text the one with the smallest id, its centre, stands for all.
    Memory is for the names of the centres and 16 bytes a pair; shingles lie in a file.
    """
    centres = _centres(inputs.parts["signatures"], _keys(inputs.parts["candidates"]))
    ends = _ends(inputs.parts["candidates"], centres)
    before = PAIRS.empty_table() if inputs.previous is None else inputs.previous.table()
    known = _known(before, centres, ends)
    facts = {"pairs_measured_before": int(np.count_nonzero(known >= 0))}
    return Output(_rows(inputs, centres, ends, before, known), facts=facts)


def _keys(candidates: Sequence[Part]) -> np.ndarray:
    """Return the keys of all texts that are to be compared, sorted."""
    return _union(keys for part in candidates for keys in _sides(part))


def _sides(part: Part) -> list[np.ndarray]:
    """Return the keys of the candidates' left and right texts."""
    return [column.to_numpy() for column in part.table(["left_key", "right_key"]).columns]


def _union(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Return the different numbers of all arrays, sorted.

    What waits is united when there is as much of it as of what is united, so that no number is
    sorted more often than the result doubles.
    """
    united, waiting, num_waiting = np.empty(0, np.uint64), [], 0
    for array in arrays:
        waiting.append(np.unique(array))
        num_waiting += len(waiting[-1])
        if num_waiting > max(len(united), _FEW):
            united = np.unique(np.concatenate([united, *waiting]))
            waiting, num_waiting = [], 0
    return np.unique(np.concatenate([united, *waiting]))


def _centres(signatures: Sequence[Part], keys: np.ndarray) -> pa.Table:
    """Return the document that stands for each normalised text that is to be compared, by id."""
    named = []
    for part in signatures if len(keys) else ():
        rows = part.table(["doc_id", "text_hash", "normal_hash"])
        mine = text_keys(rows["normal_hash"])
        rows = rows.append_column("text_key", pa.array(mine))
        _, num_places = _places_of(keys, mine)
        named.append(rows.filter(pa.array(num_places > 0)))
    if not named:
        return _CENTRES.empty_table()
    return query(_CENTRES_SQL, _CENTRES, named=pa.concat_tables(named))


def _ends(candidates: Sequence[Part], centres: pa.Table) -> Ends:
    """Return each pair of texts once, though they may share keys of several buckets.

    Two texts may have been made to share a key: they are compared with each other, too.
    """
    keys = centres["text_key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    again = np.unique(keys[1:][keys[1:] == keys[:-1]])
    pairs = chain([(again, again)], map(_sides, candidates))
    codes = _union(_codes(keys, order, left, right) for left, right in pairs)
    left, right = np.divmod(codes.astype(np.int64), max(1, len(centres)))
    return Ends(left, right)


def _codes(keys: np.ndarray, order: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return a number for each pair of places that have these keys, in the order of the pairs.

    ``keys`` are those of the places ``order``, sorted. A key may have several places, or none.
    """
    first_left, num_left = _places_of(keys, left)
    first_right, num_right = _places_of(keys, right)
    counts = num_left * num_right
    pair = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    one = order[first_left[pair] + within // num_right[pair]]
    other = order[first_right[pair] + within % num_right[pair]]
    codes = np.minimum(one, other) * len(keys) + np.maximum(one, other)
    return codes[one != other].astype(np.uint64)


def _places_of(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each wanted key first stands among sorted ones, and how often it does."""
    first = np.searchsorted(keys, wanted, side="left")
    return first, np.searchsorted(keys, wanted, side="right") - first


def _known(before: pa.Table, centres: pa.Table, ends: Ends) -> np.ndarray:
    """Return for each pair the row of ``before`` that measured the same two texts, or -1."""
    size, hashes = max(1, len(centres)), centres["text_hash"].combine_chunks()
    left, right = (
        pc.fill_null(pc.index_in(before[side], hashes), -1).to_numpy().astype(np.int64)
        for side in ("left_hash", "right_hash")
    )
    there = np.flatnonzero((left >= 0) & (right >= 0))
    codes, first = np.unique(left[there] * size + right[there], return_index=True)
    wanted = ends.left * size + ends.right
    at = np.searchsorted(codes, wanted)
    at[at == len(codes)] = 0
    is_known = codes[at] == wanted if len(codes) else np.zeros(len(wanted), dtype=bool)
    return np.where(is_known, there[first][at] if len(codes) else -1, -1)


def _rows(
    inputs: Inputs, centres: pa.Table, ends: Ends, before: pa.Table, known: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """Yield the pairs in their order, those of neighbouring texts one after the other."""
    is_new = known < 0
    shelf, places = _shelved(inputs, centres, np.union1d(ends.left[is_new], ends.right[is_new]))
    ids, hashes = (centres[name].combine_chunks() for name in ("doc_id", "text_hash"))
    for first in range(0, len(known), _BATCH_PAIRS):
        some = slice(first, first + _BATCH_PAIRS)
        left, right, rows = ends.left[some], ends.right[some], known[some]
        new = np.flatnonzero(rows < 0)
        measured = _measured(shelf, places[left[new]], places[right[new]])
        both = pa.concat_tables([before.select(_MEASURES), measured])
        taken = rows.copy()
        taken[new] = len(before) + np.arange(len(new))
        columns = [ids.take(left), ids.take(right), hashes.take(left), hashes.take(right)]
        columns += [column.combine_chunks() for column in both.take(taken).columns]
        yield pa.record_batch(columns, schema=PAIRS)


def _shelved(
    inputs: Inputs, centres: pa.Table, wanted: np.ndarray
) -> tuple[Shelf | None, np.ndarray]:
    """Put the wanted centres' texts on a shelf; return it, and where there each centre stands."""
    places = np.full(len(centres), -1, dtype=np.int64)
    if not len(wanted):
        return None, places
    assert inputs.scratch is not None
    ids = centres["doc_id"].take(pa.array(wanted)).combine_chunks()
    shelf = shelve(inputs.parts["documents"], ids, inputs.scratch)
    places[wanted] = shelf.places(pa.chunked_array([ids]))
    return shelf, places


def _measured(shelf: Shelf | None, left: np.ndarray, right: np.ndarray) -> pa.Table:
    """Return the measures of pairs of places on the shelf."""
    schema = pa.schema([PAIRS.field(name) for name in _MEASURES])
    if shelf is None or not len(left):
        return schema.empty_table()
    found = measure_pairs(shelf.words, shelf.sets, left, right)
    versions = pa.array(np.full(len(left), RULE_VERSION, dtype=np.int32))
    return pa.table({**found, "rule_version": versions}).select(_MEASURES).cast(schema)


STEP = Step(
    name="compare_candidates",
    version=VERSION,
    kind="whole",
    run=compare_candidates,
    config=CompareConfig,
    schema=PAIRS,
    inputs={"candidates": "all", "signatures": "all", "documents": "all"},
    libraries=(),
    accounts_for="signatures",
    emits="edges",
    incremental=True,
)
