"""Token shards under the names, and with the sidecars, that other trainers ask for.

The tokens are the same bytes everywhere, but for OLMo-core and llm.c those of 65,500 to 65,536 ids;
llm.c's files begin with a header::

    megatron   NNNNN_SHARD.bin, .idx                    megatron.core IndexedDataset
    datatrove  NNNNN_SHARD.ds, .ds.index, .ds.metadata  datatrove and nanotron
    olmo       NNNNN_SHARD.npy, .csv.gz                 OLMo-core: no NPY header, whatever the name
    llmc       NNNNN_SHARD.bin                          llm.c, modded-nanogpt: 256 <i4, then <u2

A mask goes to ``.ds.loss``, a byte a token; the others have no place for one, and refuse it.
``.ds.index`` is where each document ends, in tokens, ``<u8``; ``.csv.gz`` has a row ``start,end``
in tokens for each. Source: ``megatron/core/datasets/indexed_dataset.py``;
``datatrove/pipeline/tokens/tokenizer.py`` 0.10; OLMo-core's ``data/utils.py``; llm.c's
``dev/data/data_common.py``.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_contracts.errors import InputError, UsageError
from data_contracts.shards import Dtype, Shard, ShardSet, Vocabulary
from data_contracts.sidecars import datatrove_index, datatrove_metadata, megatron_index

_LLMC_MAGIC, _LLMC_VERSION, _LLMC_HEADER = 20240520, 1, 256
_COPIED_TOKENS = 1 << 24  # at a time

_Writer = Callable[[Path, Shard, Vocabulary], None]


def export_shards(shards: ShardSet, folder: Path, layout: str) -> list[Path]:
    """Write the shards, numbered in their order, and return the new files, sorted.

    Nothing lies in ``folder`` before all does.

    Raises:
        UsageError: if there is no such layout, or the folder exists.
        InputError: if the layout cannot hold the shards.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"There is no layout {layout!r}; use {', '.join(LAYOUTS)}.")
    if folder.exists():
        raise UsageError(f"{folder} exists; name a folder that does not, or remove it.")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for number, shard in enumerate(shards.shards):
            if shard.mask is not None and layout != "datatrove":
                raise InputError(
                    f"{layout} has no place for the mask of {shard.name}, and without it prompts "
                    f"would be trained on; export to datatrove."
                )
            LAYOUTS[layout](unfinished / f"{number:05d}_{shard.name}", shard, shards.vocabulary)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return sorted(folder.iterdir())


def _megatron(base: Path, shard: Shard, vocabulary: Vocabulary) -> None:
    _write_tokens(Path(f"{base}.bin"), shard)
    index = megatron_index(np.diff(shard.offsets), vocabulary.dtype)
    Path(f"{base}.idx").write_bytes(index)


def _datatrove(base: Path, shard: Shard, vocabulary: Vocabulary) -> None:
    _write_tokens(Path(f"{base}.ds"), shard)
    Path(f"{base}.ds.index").write_bytes(datatrove_index(np.diff(shard.offsets)))
    metadata = datatrove_metadata(len(shard.tokens), vocabulary.dtype, vocabulary.tokenizer_digest)
    Path(f"{base}.ds.metadata").write_bytes(metadata)
    if shard.mask is not None:
        Path(f"{base}.ds.loss").write_bytes(shard.mask.tobytes())


def _olmo(base: Path, shard: Shard, vocabulary: Vocabulary) -> None:
    _write_tokens(Path(f"{base}.npy"), shard, dtype=_narrow(vocabulary))
    rows = "".join(f"{start},{end}\n" for start, end in pairwise(shard.offsets.tolist()))
    Path(f"{base}.csv.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))


def _llmc(base: Path, shard: Shard, vocabulary: Vocabulary) -> None:
    count = len(shard.tokens)
    if _narrow(vocabulary) != "<u2" or count >= 2**31:
        raise InputError(
            f"llm.c reads ids of 16 bits and less than 2**31 of them a file; {shard.name} has "
            f"{count:,} of a vocabulary of {vocabulary.vocab_size:,}."
        )
    header = np.zeros(_LLMC_HEADER, "<i4")
    header[:3] = _LLMC_MAGIC, _LLMC_VERSION, count
    _write_tokens(Path(f"{base}.bin"), shard, header.tobytes(), _narrow(vocabulary))


def _narrow(vocabulary: Vocabulary) -> Dtype:
    """Return how OLMo-core and llm.c have ids: in 16 bits if all fit, where Megatron has 32."""
    return "<u2" if vocabulary.vocab_size <= 1 << 16 else "<i4"


def _write_tokens(
    path: Path, shard: Shard, header: bytes = b"", dtype: Dtype | None = None
) -> None:
    with path.open("xb") as file:
        file.write(header)
        for start in range(0, len(shard.tokens), _COPIED_TOKENS):
            part = shard.tokens[start : start + _COPIED_TOKENS]
            file.write(part.astype(dtype or part.dtype, copy=False).tobytes())


LAYOUTS: dict[str, _Writer] = {
    "megatron": _megatron,
    "datatrove": _datatrove,
    "olmo": _olmo,
    "llmc": _llmc,
}
