"""Token shards: layout, writer and reader. `pack_tokens` writes them, trainers read them.

A shard is one headerless file of tokens and its sidecars (`data_contracts.sidecars`), all made from
one vector of document lengths, so that most trainers read the same bytes::

    NAME.bin             token ids, <u2 if the vocabulary is below 65,500, else <i4
    NAME.idx             Megatron-core's index
    NAME.ds.index, NAME.ds.metadata    datatrove's and nanotron's, for a link NAME.ds to NAME.bin
    NAME.offsets.npy     int64 [D+1], where each document starts in *tokens*; the last is the end
    NAME.num_bytes.npy   int64 [D], UTF-8 bytes of each document's text (for bits per byte)
    NAME.mask            where there is one: a byte a token, 0 where it is read but not asked for
    index.json           what the numbers mean, and the shards of the folder with their digests

Every document is ``[BOS] … [EOS]``, has neither in between, and lies whole in one shard. Opening
checks the structure, in time that does not grow with the shards; `verify_shards` reads all and
finds any changed byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from data_contracts.errors import Damaged, InputError, NotFound
from data_contracts.sidecars import (
    UNKNOWN_TOKENIZER,
    check_datatrove,
    check_megatron,
    datatrove_index,
    datatrove_metadata,
    document_offsets,
    megatron_index,
)

FORMAT = "millrace-tokens-2"
INDEX = "index.json"
SUFFIXES = (".bin", ".idx", ".ds.index", ".ds.metadata", ".offsets.npy", ".num_bytes.npy")
MASK = ".mask"
SMALL_VOCABULARY = 65_500  # below it, ids fit in 16 bits; Megatron's `optimal_dtype`

Dtype = Literal["<u2", "<i4"]

# One row per document: where its tokens lie, and exactly how much text they stand for.
TOKEN_DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # name of the source in the recipe
        pa.field("split", pa.string(), nullable=False),  # "train" or "heldout"
        pa.field("shard", pa.string(), nullable=False),  # name within the partition's folder
        pa.field("token_offset", pa.int64(), nullable=False),  # of BOS, in tokens of the shard
        pa.field("num_tokens", pa.int64(), nullable=False),  # BOS and EOS among them
        pa.field("num_bytes", pa.int64(), nullable=False),  # UTF-8 bytes of the text
    ]
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_REMEDY = "set the folder aside and run pack_tokens again."


@dataclass(frozen=True)
class Vocabulary:
    """What the numbers in a shard mean: the tokenizer that made them, and its special ids.

    Ids are in ``[0, vocab_size)``. ``pad_id`` and ``mask_id``, which no document holds, are None
    where the tokenizer has none.
    """

    vocab_size: int
    bos_id: int
    eos_id: int
    pad_id: int | None
    tokenizer_digest: str
    mask_id: int | None = None

    @property
    def dtype(self) -> Dtype:
        """How an id is stored."""
        return "<u2" if self.vocab_size < SMALL_VOCABULARY else "<i4"


@dataclass(frozen=True)
class ShardEntry:
    """A shard as its folder's index lists it; ``files`` maps each suffix to its file's digest."""

    name: str
    num_tokens: int
    num_documents: int
    num_bytes: int
    files: dict[str, str]


@dataclass(frozen=True)
class Shard:
    """One opened shard.

    ``tokens``: [num_tokens] ``<u2`` or ``<i4``, a read-only memory map; ``offsets``: int64 [D+1],
    document ``i`` is ``tokens[offsets[i] : offsets[i + 1]]``; ``num_bytes``: int64 [D]. ``mask``:
    uint8 [num_tokens], 0 where a token is read but never asked for; None: all are asked for.
    """

    name: str
    tokens: np.ndarray
    offsets: np.ndarray
    num_bytes: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class ShardSet:
    """Shards that one tokenizer made, in the order in which they were named or listed."""

    vocabulary: Vocabulary
    shards: tuple[Shard, ...]

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.vocabulary.vocab_size

    @property
    def bos_id(self) -> int:
        """The id that starts every document."""
        return self.vocabulary.bos_id

    @property
    def eos_id(self) -> int:
        """The id that ends every document."""
        return self.vocabulary.eos_id

    @property
    def pad_id(self) -> int | None:
        """The id that fills rows up; no document holds it."""
        return self.vocabulary.pad_id

    @property
    def mask_id(self) -> int | None:
        """The id that stands for a token to be guessed; no document holds it."""
        return self.vocabulary.mask_id

    @property
    def tokenizer_digest(self) -> str:
        """Digest of the tokenizer's model file."""
        return self.vocabulary.tokenizer_digest

    @cached_property
    def num_tokens(self) -> int:
        """Tokens of all shards, BOS and EOS among them."""
        return sum(len(shard.tokens) for shard in self.shards)

    @cached_property
    def num_documents(self) -> int:
        """Documents of all shards."""
        return sum(len(shard.num_bytes) for shard in self.shards)

    @cached_property
    def num_bytes(self) -> int:
        """UTF-8 bytes of the texts of all shards."""
        return sum(int(shard.num_bytes.sum()) for shard in self.shards)


def file_names(shards: Iterable[str]) -> list[str]:
    """Return the names of all files of a folder with these shards, its index first."""
    return [INDEX, *(f"{shard}{suffix}" for shard in shards for suffix in SUFFIXES)]


def write_shard(
    folder: Path,
    name: str,
    documents: Iterable[np.ndarray],
    num_bytes: Sequence[int] | np.ndarray,
    dtype: Dtype,
    tokenizer: str = UNKNOWN_TOKENIZER,
    mask: np.ndarray | None = None,
) -> ShardEntry:
    """Write one shard: documents in the given order, one at a time in memory.

    Each document is a one-dimensional array of ids, BOS and EOS included; ``num_bytes`` holds the
    UTF-8 bytes of each one's text, without them. ``tokenizer`` is its name in datatrove's
    metadata; ``mask`` has 0 or 1 for each token of all documents. No shard may have been written
    there before.

    Raises:
        ValueError: for an id that does not fit in ``dtype``, for a document of 2**31 tokens or
            more, for another number of ``num_bytes`` than of documents, or of ``mask`` than of
            tokens, for an unfit name.
        FileExistsError: if the shard's ``.bin`` exists.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a shard: use letters, digits, - and _")
    lengths = _write_tokens(folder / f"{name}.bin", documents, dtype)
    sizes = np.asarray(num_bytes, "<i8")
    if sizes.shape != lengths.shape:
        raise ValueError(f"{name} has {len(lengths)} documents, but {sizes.size} sizes in bytes")
    num_tokens = int(lengths.sum())
    suffixes = [*SUFFIXES]
    if mask is not None:
        _write_mask(folder / f"{name}{MASK}", mask, num_tokens)
        suffixes.append(MASK)
    (folder / f"{name}.idx").write_bytes(megatron_index(lengths, dtype))
    (folder / f"{name}.ds.index").write_bytes(datatrove_index(lengths))
    metadata = datatrove_metadata(num_tokens, dtype, tokenizer)
    (folder / f"{name}.ds.metadata").write_bytes(metadata)
    np.save(folder / f"{name}.offsets.npy", document_offsets(lengths))
    np.save(folder / f"{name}.num_bytes.npy", sizes)
    files = {suffix: _digest_file(folder / f"{name}{suffix}") for suffix in suffixes}
    return ShardEntry(name, num_tokens, len(lengths), int(sizes.sum()), files)


def write_index(folder: Path, vocabulary: Vocabulary, entries: Sequence[ShardEntry]) -> Path:
    """Write the index of a folder whose shards are all there, and return its path.

    Raises:
        ValueError: if a document is not ``[BOS] … [EOS]`` or an id is outside the vocabulary.
    """
    for entry in entries:
        fault = _fault(_open_shard(folder, entry, vocabulary.dtype), vocabulary)
        if fault:
            raise ValueError(f"{folder / entry.name}.bin cannot be indexed: {fault}")
    path = folder / INDEX
    path.write_bytes(_encode_index(_index_content(vocabulary, entries)))
    return path


def open_shards(folders: Path | Sequence[Path], names: Sequence[str] | None = None) -> ShardSet:
    """Open the named shards of one folder, or of several in order; all, if no names are given.

    Raises:
        NotFound: if a folder has no index, or no shard of a name.
        Damaged: if the structure of a shard is not what its index and sidecars say.
        InputError: if the folders were made with different tokenizers.
    """
    found = [folders] if isinstance(folders, Path) else list(folders)
    if not found:
        raise NotFound("no folder of token shards was named; run pack_tokens first.")
    indexes = [_read_index(folder) for folder in found]
    vocabulary = indexes[0][0]
    shards = []
    for folder, (other, entries) in zip(found, indexes, strict=True):
        if other != vocabulary:
            raise InputError(
                f"the token shards in {found[0]} and {folder} were made with different tokenizers; "
                f"run pack_tokens for both with one of them."
            )
        for entry in _named(folder, entries, names):
            shards.append(_open_shard(folder, entry, vocabulary.dtype))
    return ShardSet(vocabulary, tuple(shards))


def verify_shards(folder: Path, names: Sequence[str] | None = None) -> int:
    """Read every byte of a folder's shards, or of the named ones; return how many there are.

    Raises:
        NotFound: if there is no index, or no shard of a name.
        Damaged: if any byte of the index or of a shard's file is not what was written, if a
            document is not ``[BOS] … [EOS]``, or if an id is outside the vocabulary.
    """
    vocabulary, entries = _read_index(folder)
    path = folder / INDEX
    if path.read_bytes() != _encode_index(_index_content(vocabulary, entries)):
        raise Damaged(f"{path} is not as it was written: {_REMEDY}")
    num_bytes = path.stat().st_size
    for entry in _named(folder, entries, names):
        shard = _open_shard(folder, entry, vocabulary.dtype)
        for suffix in entry.files:
            file = folder / f"{entry.name}{suffix}"
            if _digest_file(file) != entry.files[suffix]:
                raise Damaged(f"{file} is not as it was written: {_REMEDY}")
            num_bytes += file.stat().st_size
        fault = _fault(shard, vocabulary)
        if fault:
            raise Damaged(f"{folder / entry.name}.bin is sound but wrong, {fault}: {_REMEDY}")
    return num_bytes


def _write_tokens(path: Path, documents: Iterable[np.ndarray], dtype: Dtype) -> np.ndarray:
    """Write the documents back to back and return their lengths, int64 [D]."""
    lengths = []
    with path.open("xb") as file:
        for number, document in enumerate(documents):
            file.write(_stored(document, dtype, f"document {number} of {path.name}"))
            lengths.append(len(document))
    return np.array(lengths, "<i8")


def _write_mask(path: Path, mask: np.ndarray, num_tokens: int) -> None:
    if (
        mask.shape != (num_tokens,)
        or mask.dtype.kind not in "biu"
        or not np.isin(mask, (0, 1)).all()
    ):
        raise ValueError(f"{path.name} is not 0 or 1 for each of {num_tokens} tokens")
    path.write_bytes(mask.astype(np.uint8).tobytes())


def _stored(document: np.ndarray, dtype: Dtype, what: str) -> bytes:
    if document.ndim != 1 or document.dtype.kind not in "iu" or len(document) >= 2**31:
        raise ValueError(f"{what} is not a row of less than 2**31 integers")
    limits = np.iinfo(dtype)
    if len(document) and not (limits.min <= document.min() and document.max() <= limits.max):
        raise ValueError(f"{what} has an id that does not fit in {dtype}")
    return document.astype(dtype).tobytes()


def _index_content(vocabulary: Vocabulary, entries: Iterable[ShardEntry]) -> dict[str, Any]:
    head = {"format": FORMAT, "dtype": vocabulary.dtype}
    return {**head, **asdict(vocabulary), "shards": [asdict(entry) for entry in entries]}


def _encode_index(content: dict[str, Any]) -> bytes:
    """Return the one way to write an index; its seal is the digest of what stands before it."""
    from store.identity import digest_bytes  # here, so that reading does without BLAKE3

    seal = digest_bytes(json.dumps(content, sort_keys=True).encode())
    return (json.dumps({**content, "seal": seal}, indent=1) + "\n").encode()


def _read_index(folder: Path) -> tuple[Vocabulary, list[ShardEntry]]:
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
        raise Damaged(f"{path} is no index of token shards ({error}): {_REMEDY}") from error
    return vocabulary, entries


def _check_index(dtype: str, vocabulary: Vocabulary, entries: Sequence[ShardEntry]) -> None:
    optional = [number for number in (vocabulary.pad_id, vocabulary.mask_id) if number is not None]
    special = [vocabulary.bos_id, vocabulary.eos_id, *optional]
    counts = [n for e in entries for n in (e.num_tokens, e.num_documents, e.num_bytes)]
    if not all(type(n) is int and n >= 0 for n in [vocabulary.vocab_size, *special, *counts]):
        raise ValueError("a count or an id is not a natural number")
    if dtype != vocabulary.dtype or max(special) >= vocabulary.vocab_size:
        raise ValueError("dtype or special ids do not fit the vocabulary")
    for entry in entries:
        if not _NAME.fullmatch(entry.name) or set(entry.files) - {MASK} != set(SUFFIXES):
            raise ValueError(f"the entry of {entry.name!r} is incomplete")


def _named(
    folder: Path, entries: Sequence[ShardEntry], names: Sequence[str] | None
) -> list[ShardEntry]:
    by_name = {entry.name: entry for entry in entries}
    missing = [name for name in names or () if name not in by_name]
    if missing:
        raise NotFound(
            f"{folder} has no token shard {missing[0]!r}; it has {', '.join(by_name) or 'none'}."
        )
    return list(entries) if names is None else [by_name[name] for name in names]


def _open_shard(folder: Path, entry: ShardEntry, dtype: Dtype) -> Shard:
    base = folder / entry.name
    try:
        offsets = _open_npy(Path(f"{base}.offsets.npy"), entry.num_documents + 1)
        num_bytes = _open_npy(Path(f"{base}.num_bytes.npy"), entry.num_documents)
        if offsets[0] != 0 or offsets[-1] != entry.num_tokens:
            raise ValueError(f"its offsets do not span {entry.num_tokens} tokens")
        tokens = _open_tokens(Path(f"{base}.bin"), entry.num_tokens, dtype)
        mask = None
        if MASK in entry.files:
            mask = _open_tokens(Path(f"{base}{MASK}"), entry.num_tokens, "<u1")
        _check_sidecars(base, entry, dtype)
    except (OSError, ValueError) as error:
        raise Damaged(f"the token shard {base} is damaged ({error}): {_REMEDY}") from error
    return Shard(entry.name, tokens, offsets, num_bytes, mask)


def _check_sidecars(base: Path, entry: ShardEntry, dtype: Dtype) -> None:
    check_megatron(Path(f"{base}.idx"), entry.num_documents, dtype)
    index, metadata = Path(f"{base}.ds.index"), Path(f"{base}.ds.metadata")
    check_datatrove(index, metadata, entry.num_documents, entry.num_tokens, dtype)


def _open_npy(path: Path, length: int) -> np.ndarray:
    """Map a one-dimensional int64 ``.npy`` file whose length is known."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a damaged header fails in many ways inside numpy
        raise ValueError(f"{path.name} is no .npy file: {error}") from error
    if array.dtype != np.dtype("<i8") or array.shape != (length,):
        raise ValueError(f"{path.name} holds {array.dtype} {array.shape}, not <i8 ({length},)")
    return array


def _open_tokens(path: Path, num_tokens: int, dtype: str) -> np.ndarray:
    size, expected = path.stat().st_size, num_tokens * np.dtype(dtype).itemsize
    if size != expected:
        raise ValueError(f"{path.name} has {size} bytes, not {expected}")
    if num_tokens == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r")


def _fault(shard: Shard, vocabulary: Vocabulary) -> str | None:
    """Return what is wrong with the documents of a shard, or None."""
    starts, ends = shard.offsets[:-1], shard.offsets[1:] - 1
    if np.any(ends <= starts) or np.any(shard.num_bytes < 0):
        return "a document is shorter than BOS and EOS"
    framed = (shard.tokens[starts] == vocabulary.bos_id) & (shard.tokens[ends] == vocabulary.eos_id)
    if not framed.all():
        return f"document {int(np.argmin(framed))} does not start with BOS and end with EOS"
    tokens, vocab_size = shard.tokens, vocabulary.vocab_size
    marks = np.count_nonzero((tokens == vocabulary.bos_id) | (tokens == vocabulary.eos_id))
    if marks != 2 * len(starts):
        return "BOS or EOS stands within a document"
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < vocab_size:
        return f"an id is outside the vocabulary of {vocab_size}"
    if shard.mask is not None and len(tokens):
        return _mask_fault(shard.mask, starts)
    return None


def _mask_fault(mask: np.ndarray, starts: np.ndarray) -> str | None:
    if mask.max() > 1:
        return "its mask has more than 0 and 1"
    asked = np.maximum.reduceat(mask, starts)
    if not asked.all() or mask[starts].any():
        number = int(np.argmin(asked & (mask[starts] == 0)))
        return f"the mask of document {number} asks for nothing, or for BOS"
    return None


def _digest_file(path: Path) -> str:
    from store.identity import digest_file  # here, so that reading does without BLAKE3

    return digest_file(path)
