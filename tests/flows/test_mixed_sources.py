"""Files of four kinds as people have them, in one recipe and run; then one file more."""

from __future__ import annotations

import io
import itertools
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from data_contracts.documents import doc_id
from store.datasets import StoredPart, read_dataset
from store.runs import find_run
from store.storage import Storage

pytestmark = [pytest.mark.usefixtures("prefect_api"), pytest.mark.slow]

NUM_REVIEWS, NUM_PAGES = 200, 10


def collect(shared: Path, folder: Path) -> None:
    """Put a crawl, reviews, saved pages and an excerpt of Wikipedia into a folder, as they are."""
    folder.mkdir()
    archives = shared / "web-archives"
    shutil.copy(archives / "dolma" / "sample-0001.warc.gz", folder / "crawl.warc.gz")
    dumps = shared / "wikipedia-dumps"
    shutil.copy(next(dumps.glob("*table-markup*")), folder / "enwiki-pages-articles.xml.bz2")
    packed = (shared / "imdb-unsup" / "imdb_unsup.jsonl.zst").open("rb")
    with packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        reviews = b"".join(itertools.islice(io.BufferedReader(stream), NUM_REVIEWS))
    (folder / "reviews.jsonl.zst").write_bytes(zstandard.compress(reviews))
    with (
        tarfile.open(next((shared / "article-extraction").glob("*.tar"))) as pages,
        zipfile.ZipFile(folder / "saved.zip", "w") as saved,
    ):
        files = sorted((one for one in pages if one.isfile()), key=lambda one: one.name)
        for number, member in enumerate(files[:NUM_PAGES]):
            file = pages.extractfile(member)
            assert file is not None
            saved.writestr(f"{number}.html.gz", file.read())


def rows_by_file(home: str, run: str) -> dict[str, list[str]]:
    """Return the ids of documents, by the file that they stand in."""
    storage = Storage(home)
    (record,) = (step for step in find_run(storage, run).steps if step.step == "ingest")
    found: dict[str, list[str]] = {}
    for part in read_dataset(storage, "ingest", record.dataset).parts:
        table = StoredPart(storage, part, part.key).table(["doc_id", "uri"])
        for row in table.to_pylist():
            found.setdefault(row["uri"].split("!")[0], []).append(row["doc_id"])
    return found


def test_a_run_reads_what_people_have_and_then_only_what_is_new(
    millrace, shared_data: Path, tmp_path: Path
) -> None:
    folder, home = tmp_path / "texts", str(tmp_path / "home")
    collect(shared_data, folder)

    def run(name: str) -> dict:
        words = ["--set", f"ingest.path={folder}", "--set", "ingest.max_bundle_file_bytes=1"]
        words += ["--set", "ingest.encoding_errors=repair", "--set", "ingest.extractor=fast"]
        done = millrace("run", "my-text", "--home", home, "--run", name, *words)
        assert done.code == 0, done.err
        steps = millrace("status", "--home", home).value["steps"]
        return next(step for step in steps if step["step"] == "ingest")

    first = run("first")
    before = rows_by_file(home, "first")
    assert first["partitions_computed"] == 4
    assert set(before) == {path.name for path in folder.iterdir()}
    assert len(before["reviews.jsonl.zst"]) == NUM_REVIEWS
    assert doc_id("my-text", "0_0") in before["reviews.jsonl.zst"]
    assert 0 < len(before["saved.zip"]) <= NUM_PAGES
    assert 5 < len(before["crawl.warc.gz"]) <= 15
    shutil.copy(shared_data / "web-archives/commoncrawl-whirlwind/whirlwind.warc.wet", folder)
    second = run("second")
    after = rows_by_file(home, "second")
    assert second["partitions_computed"] == 1
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"whirlwind.warc.wet"}
