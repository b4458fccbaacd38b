"""Addresses that fsspec knows: S3's protocol on loopback, HTTP, memory; with what goes wrong."""

from __future__ import annotations

import gzip
import http.server
import json
import random
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
import s3fs

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest import remote_root
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.step import Inputs

sys.path.insert(0, str(Path(__file__).parent))

from s3_server import S3Server

Ingest = Callable[..., Any]


def jsonl(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        started = S3Server()
        patch.setenv("AWS_ENDPOINT_URL", started.endpoint)
        patch.setattr(remote_root, "PAUSE_SECONDS", 0.001)
        s3fs.S3FileSystem.clear_instance_cache()
        yield started
        s3fs.S3FileSystem.clear_instance_cache()
        started.server.stop()


@pytest.fixture
def prefix(server: S3Server) -> Iterator[str]:
    yield uuid.uuid4().hex
    server.failing.breaks.clear()
    server.failing.log.clear()


def config_of(url: str, **more: Any) -> IngestConfig:
    return IngestConfig(kind="files", source="web", path=url, **more)


def test_a_bucket_is_read_as_the_same_folder_is(
    server: S3Server, prefix: str, tmp_path: Path, ingest_source: Ingest
) -> None:
    files = {
        "a.txt": b"plain",
        "deep/b.jsonl": jsonl("one", "two"),
        "deep/c.jsonl.gz": gzip.compress(jsonl("three")),
        "d.bin": b"no",
        ".hidden/e.txt": b"no",
    }
    for name, data in files.items():
        server.put(f"{prefix}/{name}", data)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    remote = ingest_source(config_of(f"s3://texts/{prefix}"))
    local = ingest_source(config_of(str(tmp_path)))
    assert remote.rows == local.rows
    assert remote.facts["files_ignored"] == ["d.bin"]
    for address, texts in {
        "/a.txt": ["plain"],
        "/deep/*.jsonl": ["one", "two"],
        "/**/*.gz": ["three"],
    }.items():
        found = ingest_source(config_of(f"s3://texts/{prefix}{address}"))
        assert [row["text"] for row in found.rows] == texts


def test_an_unchanged_object_is_not_fetched_again(server: S3Server, prefix: str) -> None:
    server.put(f"{prefix}/a.jsonl", jsonl("one"))
    server.put(f"{prefix}/b.jsonl", jsonl("two"))
    config = config_of(f"s3://texts/{prefix}", max_bundle_file_bytes=1)
    first = STEP.list_parts(config)
    server.put(f"{prefix}/b.jsonl", jsonl("new"))
    second = STEP.list_parts(config)
    assert [part.key for part in first] == ["a.jsonl", "b.jsonl"]
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert server.failing.log == []
    assert all(file.digest.startswith("tag:") for part in first for file in part.files)


@pytest.mark.parametrize("breaks", [["503"] * 2, ["cut"], ["cut", "503", "cut"]])
def test_a_connection_that_fails_in_the_middle_goes_on(
    server: S3Server, prefix: str, ingest_source: Ingest, breaks: list[str]
) -> None:
    rng = random.Random(5)
    texts = [rng.randbytes(600).hex() for _ in range(1000)]
    server.put(f"{prefix}/a.jsonl", jsonl(*texts))
    config = config_of(f"s3://texts/{prefix}")
    STEP.list_parts(config)
    server.failing.breaks[:] = breaks
    found = ingest_source(config)
    assert [row["text"] for row in found.rows] == texts
    assert server.failing.breaks == []
    assert len(server.failing.log) > len(breaks)


def test_a_bucket_that_stays_down_is_named(
    server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_root, "NUM_TRIES", 2)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    server.put(f"{prefix}/a.jsonl", jsonl("one"))
    config = config_of(f"s3://texts/{prefix}")
    (part,) = STEP.list_parts(config)
    server.failing.breaks[:] = ["503"] * 500
    with pytest.raises(InputError, match=r"a\.jsonl cannot be read \(.*tried 2 times"):
        list(STEP.run(Inputs(part.key, source=part), config).rows)


def test_an_object_that_changes_between_listing_and_reading_stops_its_partition(
    server: S3Server, prefix: str
) -> None:
    server.put(f"{prefix}/a.jsonl", jsonl("one"))
    config = config_of(f"s3://texts/{prefix}")
    (part,) = STEP.list_parts(config)
    server.put(f"{prefix}/a.jsonl", jsonl("two"))
    with pytest.raises(InputError, match=r"a\.jsonl changed while"):
        list(STEP.run(Inputs(part.key, source=part), config).rows)


def test_what_is_not_there_is_named(server: S3Server, prefix: str) -> None:
    for url in (f"s3://texts/{prefix}", f"s3://texts/{prefix}/*.txt"):
        with pytest.raises(InputError, match=r"does not exist or is empty; correct ingest\.path"):
            STEP.list_parts(config_of(url))
    with pytest.raises(RecipeError, match=r"ingest\.path is 'no-such://x'"):
        STEP.list_parts(config_of("no-such://x"))


def test_a_store_without_check_sums_is_known_by_content(ingest_source: Ingest) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/texts/a.txt", b"one")
    config = config_of("memory://texts")
    (part,) = STEP.list_parts(config)
    assert ingest_source(config).texts == {"a.txt": "one"}
    fs.pipe("/texts/a.txt", b"two")
    assert STEP.list_parts(config) != [part]
    with pytest.raises(InputError, match=r"a\.txt changed while"):
        list(STEP.run(Inputs(part.key, source=part), config).rows)


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Give the address of a web server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def test_a_web_server_is_read(tmp_path: Path, ingest_source: Ingest) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(jsonl("one", "two")))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args: Any) -> None:
            pass

    with serving(Quiet) as url:
        found = ingest_source(config_of(f"{url}/a.jsonl.gz"))
        assert found.texts == {"a.jsonl.gz#1": "one", "a.jsonl.gz#2": "two"}
        with pytest.raises(InputError, match="does not exist"):
            STEP.list_parts(config_of(f"{url}/b.jsonl.gz"))


def test_a_signed_address_is_read_and_its_signature_stands_nowhere(
    ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_root, "PAUSE_SECONDS", 0.001)
    packed, asked = gzip.compress(jsonl("one", "two")), []

    class Signed(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked.append(query)
            is_known = path == "/deep/a.jsonl.gz" and query == "X-Sig=a%2Fb*&e=1"
            self.send_response(200 if is_known else 403)
            self.send_header("Content-Length", str(len(packed) if is_known else 0))
            self.end_headers()
            if is_known and self.command == "GET":
                self.wfile.write(packed)

        do_HEAD = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    with serving(Signed) as host:
        url = f"{host}/deep/a.jsonl.gz"
        found = ingest_source(config_of(f"{url}?X-Sig=a%2Fb*&e=1#top"))
        assert set(asked) == {"X-Sig=a%2Fb*&e=1"}
        with pytest.raises(InputError) as refused:
            STEP.list_parts(config_of(f"{url}?X-Sig=expired"))
    assert found.texts == {"a.jsonl.gz#1": "one", "a.jsonl.gz#2": "two"}
    assert {row["uri"] for row in found.rows} == {"a.jsonl.gz"}
    assert all("Sig" not in key for key in found.keys)
    assert "Sig" not in str(refused.value)
    assert "a.jsonl.gz" in str(refused.value)
