"""What the tests of ingest share: run the step on a folder, look at what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.documents import DOCUMENTS
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.step import QUARANTINE, Inputs


@dataclass
class Ingested:
    """The rows of all partitions of a source, in order of partition keys."""

    keys: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    framed: int = 0
    skipped: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        return {row["record_key"]: row["text"] for row in self.rows}

    def assert_conserved(self) -> None:
        assert self.framed == len(self.rows) + len(self.quarantined) + self.skipped
        ids = [row["doc_id"] for row in self.rows + self.quarantined if row["doc_id"]]
        assert len(ids) == len(set(ids))


def read_source(config: IngestConfig) -> Ingested:
    """List a source and read every partition of it."""
    found = Ingested()
    for part in STEP.list_parts(config):
        output = STEP.run(Inputs(part.key, source=part), config)
        batches = list(output.rows)
        table = pa.Table.from_batches(batches, DOCUMENTS)
        table.validate(full=True)
        pa.Table.from_pylist(output.quarantined, schema=QUARANTINE).validate(full=True)
        found.keys.append(part.key)
        found.rows += table.to_pylist()
        found.quarantined += output.quarantined
        found.framed += output.facts["records_framed"]
        found.skipped += output.facts.get("records_skipped", 0)
        found.facts |= output.facts
    found.assert_conserved()
    return found


@pytest.fixture(scope="session")
def ingest_source() -> Callable[[IngestConfig], Ingested]:
    """Read every partition of a source and check that no record was lost."""
    return read_source


@pytest.fixture
def ingest_folder(tmp_path: Path) -> Callable[..., Ingested]:
    """Write files into a folder and ingest it: ``ingest_folder({"a.txt": b"…"}, **config)``."""

    def run(files: dict[str, bytes], **config: Any) -> Ingested:
        root = tmp_path / "source"
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return read_source(IngestConfig(kind="files", path=str(root), **config))

    return run
