"""The step ``ingest``: a source of any kind becomes partitions of `DOCUMENTS`.

It is the first step of the data path and the only one that reads from outside the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_contracts.documents import DOCUMENTS
from pipelines.ingest import files, python_docs
from pipelines.ingest.batches import build_batches
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.repeated_keys import SETTING, set_aside_repeated
from pipelines.ingest.rows import Item
from store.step import Inputs, Output, SourcePart, Step

VERSION = 4


@dataclass(frozen=True)
class SourceKind:
    """How one kind of source is listed and read.

    ``list_parts`` lists partitions from a config, sorted by key. ``read_items`` yields one item for
    each record of a partition, and adds to ``facts["records_framed"]`` what it framed.
    """

    list_parts: Callable[[IngestConfig], list[SourcePart]]
    read_items: Callable[[SourcePart, IngestConfig, dict[str, Any], Path | None], Iterator[Item]]


KINDS = {
    "files": SourceKind(files.list_parts, files.read_items),
    "python-docs": SourceKind(python_docs.list_parts, python_docs.read_items),
}


def list_parts(config: IngestConfig) -> list[SourcePart]:
    """List the partitions of a source, sorted by key, each with the digests of its files.

    Raises:
        RecipeError: if the recipe lacks what this kind needs.
        InputError: if the source is missing, empty or cannot be read.
    """
    return KINDS[config.kind].list_parts(config)


def ingest(inputs: Inputs, config: IngestConfig) -> Output:
    """Read one partition into rows of `DOCUMENTS`, in the order of its files and records.

    Every record that was framed becomes a row or a quarantined row, or is passed over for a reason:
    ``facts["records_framed"]``, complete once the rows were consumed, is their sum.

    Raises:
        InputError: while rows are consumed, if a file is gone or is not what was listed.
    """
    assert inputs.source is not None
    output = Output(rows=(), facts={"source": config.source, "records_framed": 0})
    kind = KINDS[config.kind]
    items = kind.read_items(inputs.source, config, output.facts, inputs.scratch)
    repeated = inputs.source.settings.get(SETTING, ())
    output.rows = build_batches(
        items, config.source, config.encoding_errors, output.quarantined, repeated
    )
    return output


STEP = Step(
    name="ingest",
    version=VERSION,
    kind="source",
    run=ingest,
    config=IngestConfig,
    schema=DOCUMENTS,
    list_parts=list_parts,
    settle=set_aside_repeated,
    libraries=("python",),  # `ast`, `inspect.cleandoc`, NFC
)
