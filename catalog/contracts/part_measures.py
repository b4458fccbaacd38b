"""Measures of one partition, which add up: of token shards and of tokenizers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from catalog.contracts.measured import check_arguments
from catalog.contracts.subject import CheckedPart
from catalog.contracts.tally import Tally, shown_row
from data_contracts.errors import Damaged, InputError
from data_contracts.open_shards import open_shards
from data_contracts.shards import ShardSet
from data_contracts.tokenizer import Tokenizer
from store.identity import digest_bytes

_SHARD_COLUMNS = ("shard", "token_offset", "num_tokens")


def token_ids_outside(part: CheckedPart, arguments: Mapping[str, Any]) -> Tally:
    """Count the tokens of a partition's shards that are no ids of their vocabulary."""
    check_arguments("token_ids_outside", arguments, ())
    return _of_shards(part, _outside, ())


def shards_unlike_rows(part: CheckedPart, arguments: Mapping[str, Any]) -> Tally:
    """Count the documents whose tokens do not lie in the shard where their row says.

    A document's tokens begin with BOS and end with EOS, and its row has their number.
    """
    check_arguments("shards_unlike_rows", arguments, ())
    return _of_shards(part, _unlike, _SHARD_COLUMNS)


def tokenizers_broken(part: CheckedPart, arguments: Mapping[str, Any]) -> Tally:
    """Count the tokenizers of a partition that do not load, or are not of the digest they name."""
    check_arguments("tokenizers_broken", arguments, ())
    rows = part.read(["name", "digest", "data"]).to_pylist()
    broken = []
    for row in rows:
        try:
            Tokenizer(row["data"] or b"")
            if digest_bytes(row["data"]) != row["digest"]:
                raise Damaged("its digest is another")
        except (Damaged, InputError) as error:
            broken.append(f"{row['name']}: {error}")
    return Tally(len(rows), len(broken), samples=tuple(broken))


def unclean_texts(part: CheckedPart, arguments: Mapping[str, Any]) -> Tally:
    """Count the texts of ``of`` that are empty or hold a C0 control but tab and line feed.

    Looks at the bytes: within UTF-8 those below 32 are nothing but these controls. A regular
    expression takes five times as long.
    """
    check_arguments("unclean_texts", arguments, ("of",))
    name = str(arguments.get("of", "text"))
    if name not in part.schema.names:
        return Tally(1, 1, kept=False, problem=f"there is no column {name!r}")
    column = part.read([name])[name]
    positions, start = [], 0
    for chunk in column.chunks:
        positions += [start + row for row in _unclean(chunk)]
        start += len(chunk)
    key = [part.schema.names[0]]
    named = part.read(key).take(positions[:10]).to_pylist() if positions else []
    return Tally(len(column), len(positions), samples=tuple(map(shown_row, named)))


def _unclean(texts: pa.Array) -> list[int]:
    """Return the rows of an array of strings that are empty, or whose bytes hold a control."""
    if not len(texts):
        return []
    width = np.int64 if at.is_large_string(texts.type) else np.int32
    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, width)[texts.offset : texts.offset + len(texts) + 1]
    empty = np.flatnonzero((np.diff(offsets) == 0) & texts.is_valid().to_numpy(False))
    if data is None:
        return empty.tolist()
    found = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    low = found < 32
    if np.count_nonzero(low) == np.count_nonzero(found == 9) + np.count_nonzero(found == 10):
        return empty.tolist()
    where = np.flatnonzero(low & (found != 9) & (found != 10)) + offsets[0]
    rows = np.searchsorted(offsets, where, "right") - 1
    return np.union1d(empty, rows).tolist()


def _of_shards(
    part: CheckedPart, count: Callable[[ShardSet, pa.Table], Tally], columns: tuple[str, ...]
) -> Tally:
    """Open the shards of a stored partition and count in them, beside some columns of its rows."""
    if part.stored is None:
        return Tally(kept=False, problem="its shards are not here")
    with tempfile.TemporaryDirectory(prefix="millrace-check-") as folder:
        for name in part.stored.receipt.files:
            source = part.stored.file(name, Path(folder))
            if source.parent != Path(folder):
                (Path(folder) / name).symlink_to(source)
        return count(open_shards([Path(folder)]), part.read(["doc_id", *columns]))


def _outside(shards: ShardSet, rows: pa.Table) -> Tally:
    size = shards.vocab_size
    broken, samples = 0, []
    for shard in shards.shards:
        where = np.flatnonzero((shard.tokens >= size) | (shard.tokens.astype(np.int64) < 0))
        broken += len(where)
        samples += [f"{shard.name}[{int(i)}]={int(shard.tokens[i])}" for i in where[:10]]
    return Tally(shards.num_tokens, broken, samples=tuple(samples[:10]))


def _unlike(shards: ShardSet, rows: pa.Table) -> Tally:
    by_name = {shard.name: shard for shard in shards.shards}
    broken = []
    for name, shard in by_name.items():
        mine = rows.filter(pc.equal(rows["shard"], name))
        starts, sizes = (mine[column].to_numpy() for column in _SHARD_COLUMNS[1:])
        ends = starts + sizes
        inside = (starts >= 0) & (sizes >= 2) & (ends <= len(shard.tokens))
        first, last = np.where(inside, starts, 0), np.where(inside, ends - 1, 0)
        tokens = shard.tokens if len(shard.tokens) else np.array([-1])
        marked = (tokens[first] == shards.bos_id) & (tokens[last] == shards.eos_id)
        ids = mine["doc_id"].to_pylist()
        broken += [ids[i] for i in np.flatnonzero(~(inside & marked))]
    unknown = [n for n in rows["shard"].to_pylist() if n not in by_name]
    named = tuple([*(f"doc_id={i!r}" for i in broken), *unknown][:10])
    return Tally(len(rows), len(broken) + len(unknown), samples=named)
