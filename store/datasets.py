"""Receipts and manifests: what was written, from what, and which partitions make a dataset.

``parts/<step>/<fingerprint>.parquet`` holds rows (a folder, for a model), the ``.json`` beside it
is the receipt, ``quarantine/<step>/<fingerprint>.parquet`` the rows that could not be read. A
partition exists when its receipt does. ``datasets/<step>/<fingerprint>.json`` is a manifest.
Receipts and manifests carry a seal, the digest of their own content, so that damage is noticed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from store.errors import Damaged, NotFound, OtherFormat, StoreError
from store.identity import digest_bytes, digest_file, encode, fingerprint
from store.storage import Storage

FORMAT = 1
REMEDY = "`millrace verify --repair` sets what is damaged aside, then run again."


@dataclass(frozen=True)
class Rows:
    """The accounting of documents: ``num_in = kept + dropped + quarantined + retired``."""

    num_in: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    retired: int = 0

    def __add__(self, other: Rows) -> Rows:
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return Rows(*(a + b for a, b in pairs))


@dataclass(frozen=True)
class Slice:
    """A run of row groups of a partition on which later steps can depend alone."""

    first_group: int
    num_groups: int
    num_rows: int
    num_kept: int
    digest: str


@dataclass(frozen=True)
class ExtraFile:
    """A file that belongs to a partition beside its rows; ``digest`` is of its bytes."""

    size_bytes: int
    digest: str


@dataclass(frozen=True)
class Receipt:
    """What one partition is made from and what is in it; written last, never changed.

    ``made_from`` is what its fingerprint is made of; ``code`` maps source files to their digests;
    ``digest`` is of the content: the rows', or the rows' and ``files``'s (see `content_digest`);
    ``num_rows`` are rows written, ``rows`` the accounting of documents; ``reasons`` counts dropped
    documents; ``facts`` are the step's own small values; ``seconds`` is compute time;
    ``input_bytes`` and ``size_bytes`` are what was read and written.
    """

    step: str
    key: str
    fingerprint: str
    digest: str
    made_from: dict[str, Any]
    code: dict[str, str]
    num_rows: int
    num_kept: int
    size_bytes: int
    file_digest: str
    input_bytes: int
    rows: Rows
    reasons: dict[str, int] = field(default_factory=dict)
    slices: dict[str, Slice] = field(default_factory=dict)
    files: dict[str, ExtraFile] = field(default_factory=dict)
    quarantine_digest: str | None = None
    quarantine_file_digest: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    finished_at: str = ""

    def is_like(self, other: Receipt) -> bool:
        """Tell whether two say the same of what was made: rows, their slices, quarantined rows."""
        mine, others = ((one.digest, one.quarantine_digest, one.slices) for one in (self, other))
        return mine == others

    def data_name(self) -> str:
        """Name of the rows' file within the home."""
        return part_name(self.step, self.fingerprint, ".parquet")

    def sizes(self) -> dict[str, int]:
        """Bytes of the rows' file and the extra files, by their names within the home."""
        extras = {self.extra_name(name): file.size_bytes for name, file in self.files.items()}
        return {self.data_name(): self.size_bytes - sum(extras.values()), **extras}

    def extra_name(self, file: str) -> str:
        """Name of one of the partition's other files within the home."""
        return extra_name(self.step, self.fingerprint, file)

    def quarantine_name(self) -> str:
        """Name of the quarantined rows' file within the home, if there is one."""
        return quarantine_name(self.step, self.fingerprint)


@dataclass(frozen=True)
class Dataset:
    """A manifest: the ordered partitions of one step's output, by their receipts.

    Two datasets with equal ``fingerprint`` were made from the same things; with equal ``digest``
    they hold the same rows in the same order.
    """

    step: str
    parts: tuple[Receipt, ...]

    @property
    def fingerprint(self) -> str:
        """What the dataset is made from: its partitions' keys, fingerprints and digests."""
        listed = [[part.key, part.fingerprint, part.digest] for part in self.parts]
        return fingerprint({"step": self.step, "parts": listed})

    @property
    def digest(self) -> str:
        """What is in the dataset: its partitions' keys and content digests, in order."""
        return fingerprint({"parts": [[part.key, part.digest] for part in self.parts]})

    @property
    def rows(self) -> Rows:
        """The accounting of documents over all partitions."""
        return sum((part.rows for part in self.parts), Rows())

    @property
    def size_bytes(self) -> int:
        """Bytes of the partitions' files."""
        return sum(part.size_bytes for part in self.parts)

    def reasons(self) -> dict[str, int]:
        """Count dropped documents by reason, most frequent first, then by name."""
        counts: dict[str, int] = {}
        for part in self.parts:
            for reason, count in part.reasons.items():
                counts[reason] = counts.get(reason, 0) + count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def part_name(step: str, fingerprint: str, suffix: str) -> str:
    """Name of a partition's file (``.parquet``) or receipt (``.json``) within the home."""
    return f"parts/{step}/{fingerprint}{suffix}"


def extra_name(step: str, fingerprint: str, file: str) -> str:
    """Name of a partition's extra file within the home."""
    return f"parts/{step}/{fingerprint}/{file}"


def content_digest(rows_digest: str, files: Mapping[str, ExtraFile]) -> str:
    """Return the digest of a partition's content: that of its rows if it has no other files."""
    if not files:
        return rows_digest
    listed = {name: file.digest for name, file in files.items()}
    return fingerprint({"rows": rows_digest, "files": listed})


def quarantine_name(step: str, fingerprint: str) -> str:
    """Name of a partition's quarantine file within the home."""
    return f"quarantine/{step}/{fingerprint}.parquet"


def manifest_name(step: str, fingerprint: str) -> str:
    """Name of a dataset's manifest within the home."""
    return f"datasets/{step}/{fingerprint}.json"


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """Return the value with ``format`` and a ``seal``: the digest of everything else in it."""
    body = {**value, "format": FORMAT}
    return {**body, "seal": digest_bytes(encode(body).encode())}


def unsealed(value: dict[str, Any], name: str, remedy: str) -> dict[str, Any]:
    """Check and take off the seal.

    Raises:
        Damaged: if it is not what was written, naming the file and the remedy.
        OtherFormat: if it is, in a format that this version does not read.
    """
    body = {key: item for key, item in value.items() if key != "seal"}
    try:
        seal = digest_bytes(encode(body).encode())
    except (ValueError, RecursionError):  # a flipped byte can make an infinity: 12e3456
        seal = ""
    if body.get("format") != FORMAT and value.get("seal") == seal:
        raise OtherFormat(
            f"{name} is in format {body.get('format')}, and this Millrace reads format {FORMAT}: "
            f"use the version that wrote it, or another home."
        )
    if value.get("seal") != seal:
        raise Damaged(f"{name} is not what was written; {remedy}")
    return {key: item for key, item in body.items() if key != "format"}


def read_receipt(storage: Storage, step: str, fingerprint: str) -> Receipt | None:
    """Return the receipt of a partition, or ``None`` if the partition does not exist.

    Raises:
        Damaged: if the receipt is not what was written.
    """
    name = part_name(step, fingerprint, ".json")
    value = storage.read_json(name)
    if value is None:
        return None
    remedy = REMEDY
    body = unsealed(value, f"The receipt {name} in {storage.url}", remedy)
    try:
        rows = Rows(**body.pop("rows"))
        slices = {key: Slice(**item) for key, item in body.pop("slices").items()}
        files = {key: ExtraFile(**item) for key, item in body.pop("files").items()}
        return Receipt(rows=rows, slices=slices, files=files, **body)
    except (KeyError, TypeError) as error:
        raise Damaged(
            f"The receipt {name} in {storage.url} is of another version of Millrace ({error}); "
            f"use another --home, or delete it: everything in it can be made again."
        ) from error


def check_present(storage: Storage, step: str, receipts: Sequence[Receipt]) -> None:
    """Check that the files of one step's partitions are there, in their full size.

    Looks at each on a disk; lists once in a bucket. What is in them is for `store.verify`.

    Raises:
        Damaged: if a file is missing or has another size; it is named.
    """
    expected = {name: size for receipt in receipts for name, size in receipt.sizes().items()}
    if storage.is_local:
        found = {name: storage.size(name) for name in expected}
    else:
        found = {name: size for name, size, _ in storage.list(f"parts/{step}")} if expected else {}
    for name, size in expected.items():
        if found.get(name) != size:
            error = ValueError(f"it is missing or has not its {size} bytes")
            raise damaged_part(storage, name, error)


def write_receipt(storage: Storage, receipt: Receipt) -> bool:
    """Write a receipt once; return False if another writer's stands there already."""
    name = part_name(receipt.step, receipt.fingerprint, ".json")
    return storage.create_json(name, sealed(asdict(receipt)))


def write_manifest(storage: Storage, dataset: Dataset, settled_from: Collection[str] = ()) -> None:
    """Write a dataset's manifest, if it does not stand there already.

    ``settled_from`` are partitions that are not in the dataset, but that the next run looks at to
    know which are: they live as long as it does.
    """
    parts = [
        {"key": part.key, "fingerprint": part.fingerprint, "digest": part.digest}
        for part in dataset.parts
    ]
    value = {"step": dataset.step, "digest": dataset.digest, "rows": asdict(dataset.rows)}
    if settled_from:
        value["settled_from"] = list(settled_from)
    name, body = manifest_name(dataset.step, dataset.fingerprint), sealed({**value, "parts": parts})
    if not storage.create_json(name, body) and storage.read_json_or_none(name) != body:
        storage.replace_json(name, body)  # a damaged one: what it should say is known


def read_dataset(storage: Storage, step: str, fingerprint: str) -> Dataset:
    """Return a dataset by its fingerprint.

    Raises:
        Damaged: if the manifest or one of its receipts is missing or not what was written.
    """
    name = manifest_name(step, fingerprint)
    value = storage.read_json(name)
    if value is None:
        raise Damaged(f"The manifest {name} is missing in {storage.url}; run again to rebuild it.")
    body = unsealed(value, f"The manifest {name} in {storage.url}", REMEDY)
    return Dataset(step, tuple(_receipts(storage, step, body["parts"])))


def made_how(storage: Storage, step: str, fingerprint: str) -> dict[str, Any] | None:
    """Return version, config and libraries with which a dataset was made; the inputs stay out.

    They are those of every partition, so one receipt is read. None if there is no partition, or
    nothing left to read.
    """
    value = storage.read_json_or_none(manifest_name(step, fingerprint))
    parts = (value or {}).get("parts") or []
    receipt = read_receipt(storage, step, parts[0]["fingerprint"]) if parts else None
    if receipt is None:
        return None
    return {key: receipt.made_from.get(key) for key in ("version", "config", "libraries")}


def _receipts(storage: Storage, step: str, parts: Sequence[dict[str, str]]) -> list[Receipt]:
    receipts = []
    for part in parts:
        receipt = read_receipt(storage, step, part["fingerprint"])
        if receipt is None:
            name = part_name(step, part["fingerprint"], ".json")
            raise Damaged(
                f"The receipt {name} is missing in {storage.url}; run again to rebuild it."
            )
        receipts.append(receipt)
    return receipts


@dataclass(frozen=True)
class StoredPart:
    """A partition, or one slice of it, read from a home (a `store.step.Part`)."""

    storage: Storage
    receipt: Receipt
    key: str
    slice: str | None = None

    @property
    def num_rows(self) -> int:
        """Rows of the partition or slice."""
        return self._extent().num_rows

    @property
    def num_kept(self) -> int:
        """Rows that go on: those with ``keep``, or all where there is no such column."""
        return self._extent().num_kept

    @property
    def digest(self) -> str:
        """Content digest of the partition or slice."""
        return self._extent().digest

    @property
    def size_bytes(self) -> int:
        """Bytes of the partition's file, in proportion to the slice."""
        share = self.num_rows / max(1, self.receipt.num_rows)
        return round(self.receipt.size_bytes * share)

    def _extent(self) -> Slice | Receipt:
        if self.slice is None:
            return self.receipt
        return self.receipt.slices.get(self.slice, EMPTY_SLICE)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows in their written order.

        Raises:
            Damaged: if the file is missing or not what the receipt says.
        """
        name = self.receipt.data_name()
        wanted = list(columns) if columns is not None else None
        try:
            with self.storage.open_parquet(name) as file:
                extent = self._extent()
                if isinstance(extent, Slice):
                    groups = range(extent.first_group, extent.first_group + extent.num_groups)
                    return file.read_row_groups(list(groups), columns=wanted)
                return file.read(columns=wanted)
        except (OSError, pa.ArrowException) as error:
            raise damaged_part(self.storage, name, error) from error
        except StoreError as error:
            if not _is_of_content(error.__cause__):
                raise
            raise damaged_part(self.storage, name, error) from error

    def file(self, name: str, folder: Path) -> Path:
        """Return a local path of one of the partition's files; a bucket's is copied to a folder.

        Raises:
            NotFound: if the partition has no such file. Damaged: if it is missing or another byte.
        """
        extra = self.receipt.files.get(name)
        if extra is None:
            raise NotFound(f"Partition {self.key} of {self.receipt.step} has no file {name!r}.")
        stored = self.receipt.extra_name(name)
        path = self.storage.local_path(stored)
        try:
            if path is None:
                path = folder / name
                self.storage.download(stored, path)
            if path.stat().st_size == extra.size_bytes and digest_file(path) == extra.digest:
                return path
        except FileNotFoundError:
            pass
        error = ValueError(f"it is missing, or is not the {extra.size_bytes} bytes written")
        raise damaged_part(self.storage, stored, error)


def _is_of_content(error: BaseException | None) -> bool:
    """Tell whether Arrow complains of a file's bytes: the system's own errors have a number."""
    return type(error) is OSError and error.errno is None


EMPTY_SLICE = Slice(0, 0, 0, 0, "empty")


def damaged_part(storage: Storage, name: str, error: Exception) -> Damaged:
    """Make the error for a partition that cannot be read."""
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Damaged(f"The partition {name} in {storage.url} cannot be read ({first_line}); {REMEDY}")
