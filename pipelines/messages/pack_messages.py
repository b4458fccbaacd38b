"""pack_messages: files of conversations and a tokenizer -> a folder of token shards with masks.

One shard a file, in the order of the files and of their lines. Stands beside `pack_tokens`; what it
writes is opened by `data_contracts.shards.open_shards` and trained on as any other shards, with
``packing = "one_per_row"`` or ``"best_fit"``.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path

import numpy as np

from data_contracts.errors import InputError, NotFound, UsageError
from data_contracts.shards import write_index, write_shard
from data_contracts.tokenizer import Tokenizer
from pipelines.messages.chat import ChatConfig, ChatTemplate, Sample
from pipelines.messages.conversations import MAX_LINE_BYTES, SetAside, read_conversations


@dataclass
class Packed:
    """What packing came to: each sample's name in the order of the shards, and what is in none."""

    names: list[str] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    num_lines: int = 0
    num_tokens: int = 0
    num_asked: int = 0


def pack_messages(
    files: Sequence[Path],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    max_tokens: int,
    chat: ChatConfig | None = None,
) -> Packed:
    """Write the conversations of ``.jsonl`` and ``.jsonl.gz`` files to a new folder of shards.

    No sample is longer than ``max_tokens``, BOS and EOS among them: rows hold one more than a
    model's context, so ``context_tokens`` + 1 is the most that one row can take. Nothing lies in
    ``folder`` before all does.

    Raises:
        UsageError: if the folder exists, or ``max_tokens`` can hold no exchange.
        NotFound: if a file is missing.
        InputError: if a sample trains on nothing, if none is left, if a file is not what its name
            says, or if the tokenizer lacks a mark.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists; name a folder that does not, or remove it.")
    if max_tokens < 8:
        raise UsageError(f"max_tokens is {max_tokens}; give 8 or more.")
    template = ChatTemplate(tokenizer, chat or ChatConfig())
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        packed = _write(files, template, tokenizer, unfinished, max_tokens)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return packed


def _write(
    files: Sequence[Path],
    template: ChatTemplate,
    tokenizer: Tokenizer,
    folder: Path,
    max_tokens: int,
) -> Packed:
    packed, entries, vocabulary = Packed(), [], tokenizer.vocabulary
    for number, file in enumerate(files):
        samples = list(_samples(file, template, max_tokens, packed))
        packed.names += [sample.name for sample in samples]
        packed.num_tokens += sum(len(sample.ids) for sample in samples)
        packed.num_asked += sum(int(sample.mask.sum()) for sample in samples)
        entry = write_shard(
            folder,
            f"messages-{number:05d}",
            (sample.ids for sample in samples),
            [sample.num_bytes for sample in samples],
            vocabulary.dtype,
            vocabulary.tokenizer_digest,
            mask=np.concatenate([np.zeros(0, np.uint8), *(sample.mask for sample in samples)]),
        )
        entries.append(entry)
    if not packed.names:
        reasons = sorted({aside.reason for aside in packed.set_aside})
        raise InputError(
            f"no conversation is left of {packed.num_lines} lines ({', '.join(reasons) or 'none'});"
            f' see that each is {{"messages": [{{"role": …, "content": …}}, …]}}.'
        )
    write_index(folder, vocabulary, entries)
    return packed


def _samples(
    file: Path, template: ChatTemplate, max_tokens: int, packed: Packed
) -> Iterator[Sample]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            for found in read_conversations(_lines(opened), file.name):
                packed.num_lines += 1
                asides = [found] if isinstance(found, SetAside) else []
                given = () if isinstance(found, SetAside) else template.samples(found, max_tokens)
                for sample in given:
                    if isinstance(sample, SetAside):
                        asides.append(sample)
                    else:
                        yield sample
                packed.set_aside += asides
    except FileNotFoundError:
        raise NotFound(f"{file} does not exist; name a file of conversations.") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{file} cannot be unpacked ({error}); see that it is whole.") from error


def _lines(opened: GzipFile | BufferedReader) -> Iterator[bytes]:
    """Yield lines; of one that is too long, a beginning that is too long, and nothing else."""
    while line := opened.readline(MAX_LINE_BYTES + 2):
        yield line
        while len(line) == MAX_LINE_BYTES + 2 and not line.endswith(b"\n"):
            line = opened.readline(MAX_LINE_BYTES + 2)
