"""``hf://`` addresses, against a server on loopback that answers as the hub's API does."""

from __future__ import annotations

import hashlib
import http.server
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub as hub
import pytest

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP

Ingest = Callable[..., Any]
REPO = "me/texts"


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves the files of one data set; `fetched` lists those whose content was asked for."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes] = {}
    fetched: list[str] = []

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        api, resolve = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/main/"
        if path.startswith(resolve):
            self.fetched.append(path.removeprefix(resolve))
            self._content(self.files[path.removeprefix(resolve)])
        elif path.startswith(f"{api}/tree/main"):
            self._json(self._tree(path.removeprefix(f"{api}/tree/main").strip("/")))
        elif path in (api, f"{api}/revision/main"):
            self._json({"id": REPO, "sha": "0" * 40, "siblings": []})
        else:
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def _tree(self, folder: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, data in self.files.items():
            if folder and not name.startswith(f"{folder}/"):
                continue
            oid = hashlib.sha1(data).hexdigest()
            found[name] = {"type": "file", "path": name, "size": len(data), "oid": oid}
            if (parent := name.rpartition("/")[0]) and parent != folder:
                found[parent] = {"type": "directory", "path": parent, "size": 0, "oid": "1"}
        if "recursive=true" not in self.path.lower():
            depth = folder.count("/") + bool(folder)
            return [f for n, f in found.items() if n.count("/") == depth]
        return list(found.values())

    def _content(self, data: bytes) -> None:
        asked = self.headers.get("Range")
        if asked:
            start, _, end = asked.removeprefix("bytes=").partition("-")
            data = data[int(start) : int(end) + 1]
        self._send(206 if asked else 200, data, {})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hub_of_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        constants = importlib.import_module("huggingface_hub.constants")
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        hub.HfFileSystem.clear_instance_cache()
        Hub.files, Hub.fetched = {}, []
        yield Hub
        server.shutdown()
        hub.HfFileSystem.clear_instance_cache()


def test_a_data_set_of_the_hub_is_read_once(hub_of_files: type[Hub], ingest_source: Ingest) -> None:
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in ("one", "two", "three")]
    hub_of_files.files |= {
        "README.md": b"# Texts",
        ".gitattributes": b"x",
        "data/train-0.jsonl": lines[0] + lines[1],
        "data/train-1.jsonl": lines[2],
    }
    config = IngestConfig("files", path=f"hf://datasets/{REPO}/data/*.jsonl")
    first = STEP.list_parts(config)
    assert hub_of_files.fetched == []
    assert ingest_source(config).texts == {
        "train-0.jsonl#1": "one",
        "train-0.jsonl#2": "two",
        "train-1.jsonl#1": "three",
    }
    whole = ingest_source(IngestConfig("files", path=f"hf://datasets/{REPO}"))
    assert set(whole.texts.values()) == {"# Texts", "one", "two", "three"}
    assert STEP.list_parts(config) == first
    hub_of_files.files["data/train-1.jsonl"] = lines[0]
    assert STEP.list_parts(config) != first
