"""Google's buckets: gcsfs reads from an emulator of their protocol on loopback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.config import IngestConfig

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-readers" / "bin" / "python"
FILES = {
    "a.txt": b"plain",
    "deep/b.jsonl": b'{"text": "one"}\n{"text": "two"}\n',
    "deep/c.jsonl.gz": gzip.compress(b'{"text": "three"}\n'),
}


@pytest.mark.slow
def test_a_bucket_is_read_as_the_same_folder_is(
    tmp_path: Path, ingest_source: Callable[..., Any]
) -> None:
    if not PYTHON.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no .venv-readers: run make readers")
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    local = ingest_source(
        IngestConfig(kind="files", source="web", path=str(tmp_path), max_bundle_file_bytes=1)
    )
    command = [str(PYTHON), str(Path(__file__).parent / "readers" / "read_gs.py"), str(tmp_path)]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["keys"] == local.keys == sorted(FILES)
    assert found["rows"] == [[row["doc_id"], row["uri"], row["text"]] for row in local.rows]
    assert [row["text"] for row in local.rows] == ["plain", "one", "two", "three"]
    assert found["quarantined"] == []
    assert all(digest.startswith("tag:") for digest in found["digests"])
    assert found["changed"] == ["a.txt"]
