from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.ingest import main


def test_both_read_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps({"id": f"r{n}", "text": f"text {n}"}) for n in range(500)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    main([str(path), "--repeats", "1"])
    told = capsys.readouterr().out
    assert told.count("500 rows") == 2
    assert "ratio" in told
