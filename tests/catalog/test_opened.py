from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

import catalog
from catalog.conservation import prove_and_record
from catalog.relations import connect, rows_of
from data_contracts.documents import CURATED
from data_contracts.errors import Damaged, NotFound, UsageError
from store.datasets import StoredPart
from store.step import QUARANTINE
from store.storage import Storage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def opened(finished: Any) -> catalog.OpenedRun:
    return catalog.open_run(finished.storage.url)


def stored(finished: Any, step: str) -> pa.Table:
    """The rows as the store reads them, partition by partition: the oracle."""
    parts = finished.datasets()[step].parts
    return pa.concat_tables(
        [StoredPart(finished.storage, part, part.key).table() for part in parts]
    )


def test_importing_catalog_is_cheap() -> None:
    code = (
        "import sys, catalog; bad = {'duckdb', 'pyarrow'} & set(sys.modules); print(sorted(bad)); "
        "catalog.open_run; print('duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]
    with pytest.raises(AttributeError, match="nonsense"):
        catalog.nonsense  # noqa: B018


def test_the_surface_for_notebooks_is_frozen() -> None:
    public = {name for name in vars(catalog.OpenedRun) if not name.startswith("_")}
    assert public == {
        "name", "steps", "dataset", "rows", "table", "documents", "decisions", "quarantine",
        "sql", "views", "part",
    }  # fmt: skip


def test_a_run_is_opened_by_name_or_the_latest(finished: Any, opened: catalog.OpenedRun) -> None:
    assert opened.name == "first"
    assert catalog.open_run(finished.storage.url, "first").run == opened.run
    assert opened.steps() == finished.graph.names()
    with pytest.raises(NotFound, match=r"no run 'second' in .*; there are: first"):
        catalog.open_run(finished.storage.url, "second")


def test_a_home_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no run in .*nowhere yet"):
        catalog.open_run(str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("step", ["ingest", "choose_kept", "link_duplicates", "materialize"])
def test_tables_are_what_the_store_holds_in_its_order(
    finished: Any, opened: catalog.OpenedRun, step: str
) -> None:
    assert opened.dataset(step) == finished.datasets()[step]
    table = opened.table(step)
    assert table.schema.equals(finished.graph[step].step.schema)
    assert table.equals(stored(finished, step))
    assert len(table) > 10


def test_documents_are_the_curated_ones(finished: Any, opened: catalog.OpenedRun) -> None:
    documents = opened.documents()
    assert documents.schema.equals(CURATED)
    rows = documents.to_pylist()
    for split in ("train", "heldout"):
        mine = opened.documents(["doc_id", "text"], split=split)
        assert mine.to_pylist() == [
            {"doc_id": row["doc_id"], "text": row["text"]} for row in rows if row["split"] == split
        ]
        assert len(mine) > 5
    with pytest.raises(UsageError, match="no split 'trian'; did you mean 'train'"):
        opened.documents(split="trian")
    with pytest.raises(UsageError, match="no split ''; there are: train, heldout"):
        opened.documents(split="")


def test_decisions_have_reasons_and_values(opened: catalog.OpenedRun) -> None:
    decisions = opened.decisions("apply_policy")
    assert decisions.column_names == ["doc_id", "keep", "reason", "values"]
    reasons = Counter(decisions["reason"].to_pylist())
    assert reasons == {None: 135, "length.short": 15}
    with pytest.raises(NotFound, match="no column 'keep'"):
        opened.decisions("ingest")


def test_quarantined_rows_name_their_step(opened: catalog.OpenedRun) -> None:
    table = opened.quarantine()
    assert table.column_names == ["step", *QUARANTINE.names]
    assert table["step"].to_pylist() == ["ingest"] * 3
    assert opened.quarantine("ingest").equals(table)
    assert opened.quarantine("split").num_rows == 0
    assert opened.quarantine("split").schema == table.schema


def test_what_is_not_there_is_named(opened: catalog.OpenedRun) -> None:
    with pytest.raises(NotFound, match="has no output of 'tokenize'; it has: ingest, "):
        opened.table("tokenize")
    with pytest.raises(NotFound, match="no column 'words'; there are: doc_id, "):
        opened.table("ingest", ["words"])


def test_sql_asks_views_named_after_the_steps(finished: Any, opened: catalog.OpenedRun) -> None:
    counted = opened.sql(
        "SELECT reason, count(*) AS n FROM choose_kept WHERE NOT keep GROUP BY ALL ORDER BY reason"
    )
    expected = finished.datasets()["choose_kept"].reasons()
    assert dict(zip(*counted.to_pydict().values(), strict=True)) == expected
    parts = opened.sql("FROM ingest SELECT part, count(*) AS n GROUP BY part ORDER BY part")
    assert parts.to_pydict() == {"part": ["p0", "p1", "p2"], "n": [50, 50, 50]}
    one = opened.sql("SELECT text FROM ingest WHERE record_key = $key", key="p1.txt#8")
    assert one["text"].to_pylist() == ["text number 8 stands p1"]
    assert opened.sql("SELECT count(*) FROM quarantine WHERE step = 'ingest'")[0][0].as_py() == 3
    assert "ingest" in opened.sql("SHOW TABLES")["name"].to_pylist()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM finished",
        "COPY ingest TO '{}/stolen.parquet'",
        "EXPLAIN ANALYZE COPY ingest TO '{}/stolen.parquet'",
        "ATTACH '{}/new.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT 1; DROP VIEW ingest",
        "SELEC 1",
        "SELECT nothing FROM ingest",
        "SELECT doc_id::INTEGER FROM ingest",
        "SELECT * FROM ingest WHERE doc_id = $missing",
        "",
    ],
)
def test_sql_reads_the_run_and_nothing_else(
    opened: catalog.OpenedRun, tmp_path: Path, query: str
) -> None:
    with pytest.raises(UsageError):
        opened.sql(query.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_even_the_bare_connection_is_closed(finished: Any, tmp_path: Path) -> None:
    import duckdb

    rows = rows_of(finished.storage, finished.datasets()["ingest"])
    with connect({"ingest": rows}) as connection:
        for query in (
            f"COPY ingest TO '{tmp_path}/stolen.parquet'",
            "SELECT * FROM read_text('/etc/hostname')",
            "SET memory_limit = '1TB'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)
    assert list(tmp_path.iterdir()) == []


def test_slices_are_parts_too(finished: Any) -> None:
    choices = finished.datasets()["choose_kept"]
    rows = rows_of(finished.storage, choices, by_slice=True).to_table()
    assert rows["part"].to_pylist() == rows["part_key"].to_pylist()
    assert rows.drop_columns(["part"]).equals(stored(finished, "choose_kept"))
    assert len(set(rows["part"].to_pylist())) == 3


def test_a_flipped_byte_is_noticed(finished: Any, tmp_path: Path) -> None:
    shutil.copytree(finished.storage.url, tmp_path / "home")
    opened = catalog.open_run(str(tmp_path / "home"))
    path = opened.storage.local_path(opened.dataset("materialize").parts[1].data_name())
    group = pq.ParquetFile(path).metadata.row_group(0)
    texts = group.column(CURATED.get_field_index("text"))
    content = bytearray(path.read_bytes())
    start = texts.dictionary_page_offset or texts.data_page_offset
    content[start + texts.total_compressed_size - 1] ^= 4
    path.write_bytes(content)
    for ask in (opened.documents, lambda: opened.sql("SELECT max(text) FROM materialize")):
        with pytest.raises(Damaged, match=r"cannot be read .*millrace verify --repair"):
            ask()


def test_nothing_is_written_by_reading(finished: Any, opened: catalog.OpenedRun) -> None:
    before = list(finished.storage.list(""))
    opened.documents()
    opened.sql("SELECT count(*) FROM ingest JOIN apply_policy USING (doc_id)")
    assert list(finished.storage.list("")) == before
    assert not Path(".tmp").exists()


def test_a_bucket_reads_like_a_folder(fake: SimpleNamespace, finished: Any) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        client = {"endpoint_url": endpoint, "region_name": "us-east-1"}
        options = {"key": "test", "secret": "test", "client_kwargs": client}
        fsspec.filesystem("s3", **options).call_s3("create_bucket", Bucket="catalog")
        bucket = Storage("s3://catalog/home", **options)
        for name, _, _ in finished.storage.list(""):
            bucket.replace(name, finished.storage.read(name))
        opened = catalog.OpenedRun(bucket, finished.run)
        assert opened.documents().equals(catalog.open_run(finished.storage.url).documents())
        sql = (
            "SELECT count(*) FROM ingest AS a JOIN ingest USING (doc_id) JOIN split USING (doc_id)"
        )
        assert opened.sql(sql)[0][0].as_py() == 106
        home = fake.Home(bucket, finished.graph, finished.run)
        for step in ("choose_kept", "split"):
            node, dataset = finished.graph[step], opened.dataset(step)
            assert prove_and_record(bucket, node, dataset, home.inputs_of(step)) is not None
            assert prove_and_record(bucket, node, dataset, home.inputs_of(step)) is None
        bucket.delete(opened.dataset("split").parts[0].data_name())
        with pytest.raises(Damaged, match="cannot be read"):
            opened.table("split")
    finally:
        server.stop()


def test_a_home_in_memory_reads_like_a_folder(fake: SimpleNamespace, finished: Any) -> None:
    run = fake.run_graph("memory://catalog-test/home", finished.graph, "first")
    opened = catalog.OpenedRun(fake.Storage("memory://catalog-test/home"), run)
    assert opened.documents().equals(catalog.open_run(finished.storage.url).documents())
    sql = "SELECT count(*) FROM split AS a JOIN split AS b USING (doc_id)"
    assert opened.sql(sql)[0][0].as_py() == 106
