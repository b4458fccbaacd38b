"""read_conversations: files of conversations -> rows of `DOCUMENTS`, whose text is their turns.

Files are JSON Lines (``.jsonl``, ``.ndjson``, packed or not), found as ``ingest`` finds them; files
with other names are left alone. A line that is no conversation goes to quarantine; its error begins
with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_contracts.documents import DOCUMENTS
from data_contracts.errors import InputError, MillraceError
from pipelines.ingest import jsonl
from pipelines.ingest.batches import build_batches
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Fields
from pipelines.ingest.files import place_of, root_of
from pipelines.ingest.formats import unpacked
from pipelines.ingest.listing import group_files
from pipelines.ingest.rows import Item
from pipelines.ingest.suffixes import Named, recognise
from pipelines.ingest.text import to_nfc
from pipelines.messages.config import ReadConversationsConfig
from pipelines.messages.conversations import Turn, text_of, turns_of
from store.step import Inputs, Output, SourcePart, Step

VERSION = 2

SOURCE = "conversations"

_NUM_BUNDLES = 16
_MAX_BUNDLE_FILE_BYTES = 1 << 20


def list_parts(config: ReadConversationsConfig) -> list[SourcePart]:
    """List the partitions of ``config.path``, sorted by key.

    Raises:
        RecipeError: if no path is given.
        InputError: if there is no file of JSON Lines.
    """
    try:
        root = root_of(config.path)
        paths = sorted(path for path, is_file in root.walk() if is_file and _named(path))
        if not paths:
            raise InputError(f"{config.path} holds no .jsonl file to read; change ingest.path.")
        small, parts = [], []
        for path in paths:
            ranges = root.list_ranges(path) if _named(path) == Named(format="jsonl") else []
            parts += ranges
            if not ranges:
                small.append(root.list_file(path))
    except MillraceError as error:
        raise type(error)(str(error).replace("ingest.path", "conversations.path")) from error
    parts += group_files(small, _NUM_BUNDLES, _MAX_BUNDLE_FILE_BYTES)
    return sorted(parts, key=lambda part: part.key)


def read_conversations(inputs: Inputs, config: ReadConversationsConfig) -> Output:
    """Read one partition, files by path, lines in file order; each is a row or quarantined.

    Raises:
        InputError: while rows are consumed, if a file is gone or not what was listed.
    """
    assert inputs.source is not None
    output = Output(rows=(), facts={"records_framed": 0})
    items = _read_items(inputs.source, config, output.facts, inputs.scratch)
    output.rows = build_batches(items, SOURCE, "quarantine", output.quarantined)
    return output


def _read_items(
    part: SourcePart, config: ReadConversationsConfig, facts: dict[str, Any], scratch: Path | None
) -> Iterator[Item]:
    reading = IngestConfig(
        kind="files",
        path=config.path,
        max_record_bytes=config.max_record_bytes,
        text_field=config.messages_field,
    )
    root = root_of(config.path)
    for file in part.files:
        named = _named(file.path)
        assert named is not None
        with root.open(file, scratch) as stream:
            content = unpacked(stream, named.compression, reading)
            place = place_of(file, reading)
            yield from jsonl.read(content, place, reading, facts, file.start, _take_turns)


def _take_turns(fields: Fields, config: IngestConfig) -> tuple[str, int]:
    """Take a record's conversation as text, and 1 if what is said had to be brought to NFC.

    Raises ValueError, with the reason, if there is none.
    """
    said = turns_of(fields.pop(config.text_field, None))
    turns = tuple(Turn(turn.role, to_nfc(turn.content)) for turn in said)
    return text_of(turns), int(turns != said)


def _named(path: str) -> Named | None:
    named = recognise(path)
    return named if named and named.format == "jsonl" else None


STEP = Step(
    name="read_conversations",
    version=VERSION,
    kind="source",
    run=read_conversations,
    config=ReadConversationsConfig,
    schema=DOCUMENTS,
    list_parts=list_parts,
    libraries=("python",),  # NFC
)
