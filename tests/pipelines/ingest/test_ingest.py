from __future__ import annotations

import ast
import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from pipelines.ingest import batches, config, ingest
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.step import Inputs


def test_the_step_knows_every_kind_that_a_recipe_may_name() -> None:
    assert sorted(ingest.KINDS) == sorted(config.KINDS)
    assert (STEP.name, STEP.kind, STEP.accounts_for) == ("ingest", "source", None)


def test_modules_import_each_other_in_a_way_that_the_code_digest_follows() -> None:
    """Only absolute imports are followed when a step's source files are collected."""
    folder = Path(ingest.__file__).parent
    imports = [
        node
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    ]
    assert len(imports) > 20
    assert all(node.level == 0 for node in imports)


def test_reading_is_lazy_and_repeatable(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": ""}\n')
    settings = IngestConfig(kind="files", path=str(tmp_path))
    (part,) = STEP.list_parts(settings)
    output = STEP.run(Inputs(part.key, source=part), settings)
    assert output.facts == {"source": "files", "records_framed": 0}
    (first,) = output.rows
    assert output.facts["records_framed"] == 2
    assert len(output.quarantined) == 1
    (second,) = STEP.run(Inputs(part.key, source=part), settings).rows
    assert first.equals(second)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_memory_is_bounded_by_the_batch_and_not_by_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    line = json.dumps({"text": "word " * 20_000}).encode() + b"\n"
    data = line * 600  # 60 MB
    (tmp_path / f"a.jsonl{suffix}").write_bytes(gzip.compress(data, 1) if suffix else data)
    del data
    monkeypatch.setattr(batches, "BATCH_BYTES", 2 << 20)
    settings = IngestConfig(kind="files", path=str(tmp_path))
    num_rows = 0
    (part,) = STEP.list_parts(settings)
    next(iter(STEP.run(Inputs(part.key, source=part), settings).rows))  # kernels are loaded
    for part in STEP.list_parts(settings):
        output = STEP.run(Inputs(part.key, source=part), settings)
        tracemalloc.start()
        num_rows += sum(batch.num_rows for batch in output.rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 << 20
    assert num_rows == 600
