"""What a step is: a pure function from input partitions to rows, and the facts that identify it.

A step's module holds ``VERSION``, its config dataclass, the function, and one ``STEP = Step(...)``.
The function gets `Inputs` and its config and returns an `Output`; it knows nothing of where the
partitions lie, who schedules it, how often it is tried, or what else runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

Kind = Literal["source", "map", "shuffle", "whole"]
Binding = Literal["aligned", "all", "bucket"]
Emits = Literal["documents", "edges", "model"]


class Part(Protocol):
    """One input partition, or one slice of it, as a step sees it.

    ``key`` is the partition's name within its dataset (``numpy``, ``bundle-03``), ``num_rows`` its
    rows. Reading raises `store.errors.Damaged` if the file is not what its receipt says.
    """

    @property
    def key(self) -> str:
        """Name of the partition within its dataset."""

    @property
    def num_rows(self) -> int:
        """Rows of the partition or slice."""

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows, in their written order, as one Arrow table (chunks as they come)."""

    def file(self, name: str, folder: Path) -> Path:
        """Return a local path of one of the partition's files, copied into a folder if need be."""


@dataclass(frozen=True)
class SourceFile:
    """One input file (or byte range of it) that a ``source`` partition reads.

    ``path`` is relative to the source's root, with ``/``; ``digest`` is of the file's bytes
    (`store.identity.digest_bytes`); a range is ``[start, start + length)`` bytes, ``None`` = all.
    """

    path: str
    size_bytes: int
    digest: str
    start: int = 0
    length: int | None = None


@dataclass(frozen=True)
class SourcePart:
    """One partition of a source: a stable key and the files it reads, in the order of ``path``.

    Depends only on these files, never on how many others there are. ``settings`` are plain values
    that its rows depend on besides, where a step's config holds those of several sources.
    """

    key: str
    files: tuple[SourceFile, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Tell(Protocol):
    """Who is told how far a step is."""

    def __call__(self, line: str, done_ratio: float | None = None) -> None:
        """Take a line for a person and, where it is known, the share that is done, 0 to 1."""


def ignore_line(line: str, done_ratio: float | None = None) -> None:
    """Drop a line on a step's progress."""


@dataclass(frozen=True)
class Inputs:
    """What one call of a step's function reads.

    ``key`` names the output partition; ``parts`` maps each input name to its partitions (exactly
    one if ``aligned``); ``bucket`` is the bucket number in a shuffle; ``source`` is a source's;
    ``scratch`` is an empty local folder for files that the step makes, removed afterwards.
    ``work`` is a local folder of this very partition that survives a kill: a resumable step keeps
    there what it needs to go on (checkpoints); it is removed when the partition stands. None means
    to begin anew. ``previous`` is what an incremental step made last, of other inputs, if anything.
    ``tell`` shows a person one line on how far the step is, and the share that is done if known.
    """

    key: str
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    bucket: int | None = None
    source: SourcePart | None = None
    scratch: Path | None = None
    work: Path | None = None
    previous: Part | None = None
    tell: Tell = ignore_line

    def one(self, name: str) -> Part:
        """Return the single partition of an ``aligned`` input."""
        (part,) = self.parts[name]
        return part

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read all partitions of an input, in manifest order, as one table.

        Raises LookupError if it has none (an empty bucket): such a step gives no rows.
        """
        if not self.parts[name]:
            raise LookupError(f"{name} has no partitions")
        return pa.concat_tables([part.table(columns) for part in self.parts[name]])


@dataclass
class Output:
    """What a step's function gives back.

    ``rows``: a table, or batches (consumed once, so that memory stays bounded), of the step's
    schema. ``quarantined``: rows of `store.step.QUARANTINE`, read after ``rows`` was consumed, so a
    generator may append to the list while it runs. ``slice_by``: the name of a column; rows with
    equal values must be adjacent, each run becomes a slice that later steps can depend on alone.
    ``facts``: small JSON values for the receipt (a source must give ``records_framed``).
    ``files``: files that belong to the partition beside its rows (a model, token shards), by plain
    file names; they are published with it and counted in its content digest.
    """

    rows: pa.Table | Iterable[pa.RecordBatch]
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    slice_by: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


QUARANTINE = pa.schema(
    [
        ("doc_id", pa.string()),  # null where no id could be made
        ("source", pa.string()),
        ("uri", pa.string()),
        ("position", pa.int64()),  # byte offset or ordinal in the file, as `unit` says
        ("unit", pa.string()),
        ("error", pa.string()),
        ("raw", pa.binary()),  # the first bytes of the record, for a person to look at
    ]
)


@dataclass(frozen=True)
class Step:
    """A step: its function and everything that its output depends on besides its inputs.

    ``name`` is verb_noun. ``version`` is raised whenever the rows change for equal inputs.
    ``config`` is a frozen dataclass type; fields made by `uncounted` do not change the rows.
    ``inputs`` maps each input name to how its partitions are bound: ``aligned`` (the partition, or
    slice, of the same key), ``all`` (every partition), ``bucket`` (the slice of this bucket from
    every partition). ``libraries`` names distributions
    whose version changes the rows, ``python`` among them.
    ``schema`` is of the output rows; where it depends on the config, it is that of the default
    one, and ``schema_of`` gives the others (`rows_schema`).
    ``accounts_for`` names the input whose (kept) ids must be accounted for; ``None`` for sources
    (their framing count is). ``emits`` says what an output row is: a document that came in (kept
    or dropped by a ``keep`` column), an edge between documents, or neither (a model); the last two
    let every document pass. ``list_parts`` (sources) lists partitions from a config; ``settle``
    (sources) gets them and, in the same order, what they hold, once all are there, and gives those
    that are to be read anew other settings. ``num_buckets`` (shuffles) reads their number from a
    config. An ``incremental`` step may take over from `Inputs.previous` what it finds there for
    equal inputs; it writes the same rows with it as without it.
    """

    name: str
    version: int
    kind: Kind
    run: Callable[[Inputs, Any], Output]
    config: type
    schema: pa.Schema
    inputs: Mapping[str, Binding] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    accounts_for: str | None = None
    emits: Emits = "documents"
    list_parts: Callable[[Any], list[SourcePart]] | None = None
    settle: Callable[[Sequence[SourcePart], Sequence[Part]], list[SourcePart]] | None = None
    num_buckets: Callable[[Any], int] | None = None
    resumable: bool = False
    incremental: bool = False
    schema_of: Callable[[Any], pa.Schema] | None = None

    def rows_schema(self, config: Any) -> pa.Schema:
        """Return the schema of the rows that this step writes with a config."""
        return self.schema if self.schema_of is None else self.schema_of(config)


def uncounted(default: Any) -> Any:
    """A config field that never changes rows (threads, memory), so it is left out of identity."""
    return field(default=default, metadata={"counted": False})
