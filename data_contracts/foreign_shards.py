"""Token files that other tools wrote, opened as the shards that training reads.

::

    megatron   NAME.bin beside NAME.idx                       Megatron-core
    datatrove  NAME.ds beside .ds.index (.ds.metadata, .loss)  datatrove and nanotron
    olmo       NAME.npy without an NPY header (.csv.gz)       OLMo-core, Dolma
    llmc       NAME.bin with a header of 256 <i4              llm.c, modded-nanogpt
    raw        NAME.bin, ids alone                            nanoGPT

Nothing is copied: tokens stay a memory map, in their own dtype. Every byte is read once, since such
files carry no digests: what does not add up, or holds an id outside the vocabulary, is refused. The
bytes of a document's text are in none of them: all have 0, and bits per byte cannot be told.
Source of the layouts: as `data_contracts.shards` and `pipelines.tokens.export_shards` give.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_contracts.errors import InputError, NotFound, UsageError
from data_contracts.shards import SMALL_VOCABULARY, Shard, ShardSet, Vocabulary

_SCANNED_TOKENS = 1 << 22  # at a time
_MAX_CSV_LINE = 1 << 16  # bytes

_MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
_MEGATRON_HEADER = struct.Struct(
    "<9sQBQQ"
)  # magic, version, dtype code, sequences, document bounds
_MEGATRON_DTYPES = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
_LLMC_HEADER_BYTES = 1024
_LLMC_DTYPES = {(20240520, 1): "<u2", (20240801, 7): "<u4"}  # magic, version: GPT-2's, Llama 3's
_NPY_MAGIC = b"\x93NUMPY"

_Opened = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # tokens, offsets [D+1], mask


def open_foreign(
    files: Sequence[Path], layout: str, vocabulary: Vocabulary, item_bytes: int | None = None
) -> ShardSet:
    """Open the token files of a layout in `LAYOUTS`, a shard each, in the given order.

    ``vocabulary`` says what their ids mean, which they do not. Documents lie where the layout's
    index has them; without one they end at ``eos_id``, and llm.c's begin at ``bos_id``. A tokenizer
    with one separator has it as both. ``item_bytes``, 2 or 4, is the size of an id where no index
    tells it; None: 2 if all fit, which must be said of 65,500 ids and more, since tools differ.

    Raises:
        UsageError: if there is no such layout, no file was named, or an id has another size.
        NotFound: if a file is missing.
        InputError: if a file is not of the layout, sizes do not add up, or an id is outside the
            vocabulary.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"There is no layout {layout!r}; use {', '.join(LAYOUTS)}.")
    if not files:
        raise UsageError("No token file was named; give one or more.")
    if item_bytes not in (None, 2, 4):
        raise UsageError(f"An id has {item_bytes} bytes; use 2 or 4.")
    return ShardSet(
        vocabulary, tuple(_open(file, layout, vocabulary, item_bytes) for file in files)
    )


def _open(file: Path, layout: str, vocabulary: Vocabulary, item_bytes: int | None) -> Shard:
    try:
        tokens, offsets, mask = LAYOUTS[layout](file, vocabulary, item_bytes)
        _check_ids(tokens, vocabulary.vocab_size)
        _check_offsets(offsets, len(tokens))
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename} does not exist; {file} cannot be read.") from None
    except (ValueError, OverflowError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{file} cannot be read as {layout}: {error}; see that the file is whole, and that "
            f"layout and vocabulary are its own."
        ) from error
    return Shard(file.stem, tokens, offsets, np.zeros(len(offsets) - 1, np.int64), mask)


def _megatron(file: Path, vocabulary: Vocabulary, item_bytes: int | None) -> _Opened:
    index = file.with_suffix(".idx")
    with index.open("rb") as opened:
        header = opened.read(_MEGATRON_HEADER.size)
    if len(header) < _MEGATRON_HEADER.size:
        raise ValueError(f"{index.name} is too short for a header")
    magic, version, code, num_sequences, num_bounds = _MEGATRON_HEADER.unpack(header)
    if magic != _MEGATRON_MAGIC or version != 1 or code not in _MEGATRON_DTYPES:
        raise ValueError(f"{index.name} does not begin as a Megatron index of integers does")
    at = len(header)
    if index.stat().st_size != at + 12 * num_sequences + 8 * num_bounds:
        raise ValueError(f"{index.name} has not the size of {num_sequences:,} plain sequences")
    lengths = np.fromfile(index, "<i4", num_sequences, offset=at)
    pointers = np.fromfile(index, "<i8", num_sequences, offset=at + 4 * num_sequences)
    bounds = np.fromfile(index, "<i8", num_bounds, offset=at + 12 * num_sequences)
    tokens = _map(file, _MEGATRON_DTYPES[code])
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if not np.array_equal(pointers, ends[:-1] * tokens.itemsize) or lengths.min(initial=0) < 0:
        raise ValueError(f"the sequences of {index.name} do not follow one another")
    if not num_bounds or bounds.min() < 0 or bounds.max() != num_sequences:
        raise ValueError(f"the documents of {index.name} are not made of its sequences")
    return tokens, ends[bounds], None


def _datatrove(file: Path, vocabulary: Vocabulary, item_bytes: int | None) -> _Opened:
    ends = np.fromfile(f"{file}.index", "<u8")
    metadata, losses = Path(f"{file}.metadata"), Path(f"{file}.loss")
    if metadata.exists():
        size = metadata.read_text().split("\n")[0].rpartition("|")[2]
        if size not in ("2", "4"):
            raise ValueError(f"{metadata.name} tells no size of a token, 2 or 4")
        item_bytes = int(size)
    tokens = _map(file, _unsigned(vocabulary, item_bytes))
    if len(ends) and ends.max() > len(tokens):
        raise ValueError(f"{file.name}.index ends behind {len(tokens):,} tokens")
    mask = _map(losses, "<u1") if losses.exists() else None
    if mask is not None and len(mask) != len(tokens):
        raise ValueError(f"{losses.name} has {len(mask):,} bytes for {len(tokens):,} tokens")
    return tokens, np.concatenate([[0], ends.astype(np.int64)]), mask


def _olmo(file: Path, vocabulary: Vocabulary, item_bytes: int | None) -> _Opened:
    with file.open("rb") as opened:
        if opened.read(len(_NPY_MAGIC)) == _NPY_MAGIC:
            raise ValueError("it has an NPY header, which OLMo-core's files have not")
    fits = vocabulary.vocab_size <= 1 << 16  # OLMo-core's own rule
    tokens = _map(file, f"<u{item_bytes or (2 if fits else 4)}")
    bounds = file.with_suffix(".csv.gz")
    if not bounds.exists():
        return tokens, _ended_by(tokens, vocabulary.eos_id), None
    flat = np.fromiter(_csv_bounds(bounds, len(tokens)), np.int64)
    starts, ends = flat[::2], flat[1::2]
    if not np.array_equal(starts[1:], ends[:-1]) or starts[:1].any():
        raise ValueError(f"the documents of {bounds.name} do not follow one another")
    return tokens, np.concatenate([[0], ends]), None


def _llmc(file: Path, vocabulary: Vocabulary, item_bytes: int | None) -> _Opened:
    header = np.fromfile(file, "<i4", _LLMC_HEADER_BYTES // 4)
    kind = tuple(header[:2].tolist())
    if len(header) * 4 < _LLMC_HEADER_BYTES or kind not in _LLMC_DTYPES:
        raise ValueError("it does not begin with a header of llm.c")
    tokens = _map(file, _LLMC_DTYPES[kind], _LLMC_HEADER_BYTES)
    if len(tokens) != header[2]:
        raise ValueError(f"it has {len(tokens):,} tokens, where its header says {header[2]:,}")
    starts = _places(tokens, vocabulary.bos_id)
    starts = starts if len(starts) and starts[0] == 0 else np.concatenate([[0], starts])
    return tokens, np.concatenate([starts, [len(tokens)]]) if len(tokens) else starts[:1], None


def _raw(file: Path, vocabulary: Vocabulary, item_bytes: int | None) -> _Opened:
    tokens = _map(file, _unsigned(vocabulary, item_bytes))
    return tokens, _ended_by(tokens, vocabulary.eos_id), None


def _unsigned(vocabulary: Vocabulary, item_bytes: int | None) -> str:
    if item_bytes is not None:
        return f"<u{item_bytes}"
    if SMALL_VOCABULARY <= vocabulary.vocab_size <= 1 << 16:
        raise ValueError(
            f"of {vocabulary.vocab_size:,} ids some tools write each in 2 bytes and others in 4, "
            f"and nothing beside the file tells which; give item_bytes"
        )
    return "<u2" if vocabulary.vocab_size < SMALL_VOCABULARY else "<u4"


def _map(file: Path, dtype: str, header_bytes: int = 0) -> np.ndarray:
    """Map the ids of a file behind its header; unsigned ids of 32 bits count as signed."""
    dtype = "<i4" if dtype == "<u4" else dtype
    size, item = file.stat().st_size - header_bytes, np.dtype(dtype).itemsize
    if size % item:
        raise ValueError(f"{file.name} has {size:,} bytes, no multiple of {item}")
    if size == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype)
    return np.memmap(file, dtype, mode="r", offset=header_bytes)


def _ended_by(tokens: np.ndarray, eos_id: int) -> np.ndarray:
    """Return where documents begin that EOS ends; what follows the last one is one too."""
    ends = _places(tokens, eos_id) + 1
    unfinished = len(tokens) and (not len(ends) or ends[-1] != len(tokens))
    return np.concatenate([[0], ends, [len(tokens)] if unfinished else []]).astype(np.int64)


def _places(tokens: np.ndarray, wanted: int) -> np.ndarray:
    """Return where an id stands, int64."""
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(tokens), _SCANNED_TOKENS):
        part = tokens[start : start + _SCANNED_TOKENS]
        found.append(start + np.flatnonzero(part == wanted))
    return np.concatenate(found)


def _csv_bounds(file: Path, num_tokens: int) -> Iterator[int]:
    """Yield start and end of each document; what a row says besides is passed over."""
    with gzip.open(file, "rb") as opened:
        for number, row in enumerate(iter(lambda: opened.readline(_MAX_CSV_LINE), b"")):
            if number > num_tokens:
                raise ValueError(f"{file.name} has more rows than there are tokens")
            start, _, rest = row.partition(b",")
            yield int(start)
            yield int(rest.partition(b",")[0])


def _check_ids(tokens: np.ndarray, vocab_size: int) -> None:
    for start in range(0, len(tokens), _SCANNED_TOKENS):
        part = tokens[start : start + _SCANNED_TOKENS]
        if not 0 <= part.min() <= part.max() < vocab_size:
            bad = part.max() if part.max() >= vocab_size else int(part.min()) % (1 << 32)
            raise ValueError(f"it holds the id {bad}, outside the vocabulary of {vocab_size:,}")


def _check_offsets(offsets: np.ndarray, num_tokens: int) -> None:
    if np.any(np.diff(offsets) < 0) or offsets[0] != 0 or offsets[-1] != num_tokens:
        raise ValueError(f"its documents do not span its {num_tokens:,} tokens")


LAYOUTS: dict[str, Callable[[Path, Vocabulary, int | None], _Opened]] = {
    "megatron": _megatron,
    "datatrove": _datatrove,
    "olmo": _olmo,
    "llmc": _llmc,
    "raw": _raw,
}
