"""Every recipe in docs/sources.md: it loads, and what it names on this machine is read."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from flows.graph import build_graph
from flows.recipe import Recipe, recipe_from_plain
from store.step import Inputs

DOC = Path(__file__).parents[2] / "docs" / "sources.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", DOC.read_text(), re.DOTALL)


def arrow() -> bytes:
    table, target = pa.table({"text": ["a row"]}), io.BytesIO()
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


def tar() -> bytes:
    target, info = io.BytesIO(), tarfile.TarInfo("sci.space/1")
    info.size = 6
    with tarfile.open(fileobj=target, mode="w:xz") as archive:
        archive.addfile(info, io.BytesIO(b"a post"))
    return target.getvalue()


def parquet() -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"content": ["a cell"]}), target)
    return target.getvalue()


PAGE = b"<html><body><p>" + b"The wheel of the mill turns. " * 20 + b"</p></body></html>"


def warc() -> bytes:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
    head += b"Content-Type: application/http; msgtype=response\r\n"
    return gzip.compress(head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(page), page))


DUMP = """<mediawiki xml:lang="de"><siteinfo><dbname>dewiki</dbname>
<base>https://de.wikipedia.org/wiki/Start</base></siteinfo><page><title>Wheel</title><ns>0</ns>
<id>1</id><revision><id>2</id><timestamp>2020-02-03T04:05:06Z</timestamp><model>wikitext</model>
<text xml:space="preserve">The ''wheel'' turns.</text></revision></page></mediawiki>"""

FILES = {
    "crawl/a.jsonl": b'{"text": "a page"}',
    "books/a.txt": b"a book",
    "reviews/a.jsonl.gz": gzip.compress(b'{"page": {"text": "a review", "id": "r1"}}'),
    "news.csv": b'1,Title,"some news"\n',
    "questions.txt": b"one?\ntwo?\n",
    "poems.txt": b"one\ntwo\n\nthree\n",
    "src/a.py": b"x = 1\n",
    "posts.tar.xz": tar(),
    "table/x/a.parquet": parquet(),
    "dataset/data-00000-of-00001.arrow": arrow(),
    "dataset/state.json": b"{}",
    "site/a.html": PAGE,
    "archives/a.warc.gz": warc(),
    "dewiki-latest-pages-articles.xml.bz2": bz2.compress(DUMP.encode()),
    "notes/deep/a.md": b"# A note\n",
    "answers.json": json.dumps([{"text": "an answer"}]).encode(),
    "removals.txt": b"r18\n",
}
COUNTS = {"questions": 2, "poems": 2}


def recipes() -> list[Recipe]:
    return [recipe_from_plain({"name": "doc", **tomllib.loads(block)}) for block in BLOCKS]


def read(recipe: Recipe) -> dict[str, list[dict[str, Any]]]:
    node = build_graph(recipe)["ingest"]
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in node.step.list_parts(node.config):
        output = node.step.run(Inputs(part.key, source=part), node.config)
        for batch in output.rows:
            for row in batch.to_pylist():
                rows.setdefault(row["source"], []).append(row)
        assert output.quarantined == []
    return rows


def test_each_source_on_this_machine_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    num_read = 0
    for recipe in recipes():
        if any("://" in source.path for _, source in recipe.sources) or not recipe.sources:
            continue
        rows = read(recipe)
        assert {name: len(found) for name, found in rows.items()} == {
            name: COUNTS.get(name, 1) for name, _ in recipe.sources
        }
        num_read += len(rows)
    assert num_read == 15


def test_each_recipe_has_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "removals.txt").write_bytes(FILES["removals.txt"])
    monkeypatch.chdir(tmp_path)
    names = [build_graph(recipe).names() for recipe in recipes()]
    assert len(names) == 4
    assert ["remove_requested" in steps for steps in names] == [False, False, False, True]
