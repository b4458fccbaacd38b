"""read_published: the curated documents of the run that was accepted last -> their ids.

What was published is state, and comes in as a source of its own: by the digests of the partitions
that hold it, so that a night in which nothing new was published changes nothing. Only recipes with
``dedupe.pin_kept`` have this step; its rows are documents that `choose_kept` never retires.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from data_contracts.documents import DECISIONS
from store.accepted import baseline_of
from store.datasets import StoredPart, read_dataset, read_receipt
from store.errors import Damaged
from store.step import Inputs, Output, SourceFile, SourcePart, Step, uncounted
from store.storage import Storage

VERSION = 1
PUBLISHED = pa.schema([DECISIONS.field("doc_id")])

_CURATED = "materialize"
_NOTHING = "nothing-published"


@dataclass(frozen=True)
class PublishedConfig:
    """In which home, and by which recipe, it was published."""

    home: str = uncounted("")
    recipe: str = ""


def list_published(config: PublishedConfig) -> list[SourcePart]:
    """Return a part for each partition of the curated dataset that was accepted last."""
    storage = Storage(config.home)
    accepted = baseline_of(storage, config.recipe).get(_CURATED) if config.home else None
    if accepted is None:
        return [SourcePart(_NOTHING, ())]
    return [
        SourcePart(part.key, (SourceFile(part.fingerprint, part.size_bytes, part.digest),))
        for part in read_dataset(storage, _CURATED, accepted).parts
    ]


def read_published(inputs: Inputs, config: PublishedConfig) -> Output:
    """Return the ids of one partition's documents, in its order."""
    assert inputs.source is not None
    tables = [PUBLISHED.empty_table()]
    for file in inputs.source.files:
        storage = Storage(config.home)
        receipt = read_receipt(storage, _CURATED, file.path)
        if receipt is None:
            raise Damaged(f"Partition {file.path} of {_CURATED} went while it was read: run again.")
        tables.append(StoredPart(storage, receipt, receipt.key).table(PUBLISHED.names))
    rows = pa.concat_tables(tables)
    return Output(rows, facts={"records_framed": len(rows)})


STEP = Step(
    name="read_published",
    version=VERSION,
    kind="source",
    run=read_published,
    config=PublishedConfig,
    schema=PUBLISHED,
    list_parts=list_published,
)
