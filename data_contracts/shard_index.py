"""The index of a folder of token shards: what the numbers mean, which files there are.

It is written last, over shards that are all there, in exactly one way; its seal is the digest of
what it says, so that verifying it finds any changed byte. Reading it needs no digests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data_contracts.errors import Damaged, NotFound
from data_contracts.shards import Vocabulary

FORMAT = "millrace-tokens-2"
INDEX = "index.json"
SUFFIXES = (".bin", ".idx", ".ds.index", ".ds.metadata", ".offsets.npy", ".num_bytes.npy")
MASK = ".mask"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # of a shard
REMEDY = "set the folder aside and run pack_tokens again."


@dataclass(frozen=True)
class ShardEntry:
    """A shard as its folder's index lists it; ``files`` maps each suffix to its file's digest."""

    name: str
    num_tokens: int
    num_documents: int
    num_bytes: int
    files: dict[str, str]


def file_names(shards: Iterable[str]) -> list[str]:
    """Return the names of all files of a folder with these shards, its index first."""
    return [INDEX, *(f"{shard}{suffix}" for shard in shards for suffix in SUFFIXES)]


def encode_index(vocabulary: Vocabulary, entries: Iterable[ShardEntry]) -> bytes:
    """Return the one way to write an index; its seal is the digest of what stands before it."""
    from store.identity import digest_bytes  # here, so that reading does without BLAKE3

    head = {"format": FORMAT, "dtype": vocabulary.dtype}
    content = {**head, **asdict(vocabulary), "shards": [asdict(entry) for entry in entries]}
    seal = digest_bytes(json.dumps(content, sort_keys=True).encode())
    return (json.dumps({**content, "seal": seal}, indent=1) + "\n").encode()


def read_index(folder: Path) -> tuple[Vocabulary, list[ShardEntry]]:
    """Return what a folder's index says: the vocabulary, and its shards in order.

    Raises:
        NotFound: if the folder has no index.
        Damaged: if it is none that could be true.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
        fields = {name: content[name] for name in Vocabulary.__dataclass_fields__}
        vocabulary = Vocabulary(**fields)
        entries = [ShardEntry(**entry) for entry in content["shards"]]
        _check_index(content["dtype"], vocabulary, entries)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{folder} holds no token shards; run pack_tokens first.") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"{path} is no index of token shards ({error}): {REMEDY}") from error
    return vocabulary, entries


def named_entries(
    folder: Path, entries: Sequence[ShardEntry], names: Sequence[str] | None
) -> list[ShardEntry]:
    """Return the entries of the named shards, in the order of the names; all, without names.

    Raises:
        NotFound: if the folder has no shard of a name.
    """
    by_name = {entry.name: entry for entry in entries}
    missing = [name for name in names or () if name not in by_name]
    if missing:
        raise NotFound(
            f"{folder} has no token shard {missing[0]!r}; it has {', '.join(by_name) or 'none'}."
        )
    return list(entries) if names is None else [by_name[name] for name in names]


def _check_index(dtype: str, vocabulary: Vocabulary, entries: Sequence[ShardEntry]) -> None:
    optional = [number for number in (vocabulary.pad_id, vocabulary.mask_id) if number is not None]
    special = [vocabulary.bos_id, vocabulary.eos_id, *optional]
    counts = [n for e in entries for n in (e.num_tokens, e.num_documents, e.num_bytes)]
    if not all(type(n) is int and n >= 0 for n in [vocabulary.vocab_size, *special, *counts]):
        raise ValueError("a count or an id is not a natural number")
    if dtype != vocabulary.dtype or max(special) >= vocabulary.vocab_size:
        raise ValueError("dtype or special ids do not fit the vocabulary")
    for entry in entries:
        if not NAME.fullmatch(entry.name) or set(entry.files) - {MASK} != set(SUFFIXES):
            raise ValueError(f"the entry of {entry.name!r} is incomplete")
