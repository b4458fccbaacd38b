"""A server that speaks S3's protocol on loopback, behind a proxy that fails when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import s3fs
from moto.server import ThreadedMotoServer


class Failing:
    """Passes requests on; `breaks` answers a GET by 503 or cuts its body, `log` lists the GETs."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app, self.lock = app, threading.Lock()
        self.log: list[str] = []
        self.breaks: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        is_object = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].count("/") > 1
        if not is_object:
            with self.lock:
                return self.app(environ, start)
        self.log.append(environ["PATH_INFO"])
        how = self.breaks.pop(0) if self.breaks else ""
        if how == "503":
            start("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        with self.lock:
            body = b"".join(self.app(environ, start))
        return _cut(body) if how == "cut" else [body]


def _cut(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionResetError("cut by the test")


class S3Server:
    """A bucket ``texts`` at ``endpoint``."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        self.failing = Failing(self.server._server.app)  # type: ignore[union-attr]
        self.server._server.app = self.failing  # type: ignore[union-attr]
        self.endpoint = f"http://127.0.0.1:{self.server.get_host_and_port()[1]}"
        client = {"endpoint_url": self.endpoint, "region_name": "us-east-1"}
        self.store = s3fs.S3FileSystem(key="test", secret="test", client_kwargs=client)
        self.store.call_s3("create_bucket", Bucket="texts")

    def put(self, key: str, data: bytes) -> None:
        self.store.call_s3("put_object", Bucket="texts", Key=key, Body=data)
