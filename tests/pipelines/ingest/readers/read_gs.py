"""Read a folder's files through a bucket of Google's protocol on loopback; print what was found.

read_gs.py FOLDER    twice: before and after one object changes
"""

import json
import os
import socket
import sys
from pathlib import Path

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    PORT = free.getsockname()[1]
os.environ |= {
    "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{PORT}",
    "FSSPEC_GS": json.dumps({"token": "anon"}),
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # which asks for buckets by gRPC first
}

import fsspec
import pyarrow as pa
from gcp_storage_emulator.server import create_server

from data_contracts.documents import DOCUMENTS
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.step import Inputs


def read(folder: Path) -> dict[str, object]:
    """Put the files of a folder into the bucket, read them, change one, and tell what was found."""
    bucket = fsspec.filesystem("gs")
    for path in sorted(folder.rglob("*.*")):
        bucket.pipe(f"texts/corpus/{path.relative_to(folder)}", path.read_bytes())
    config = IngestConfig(
        kind="files", source="web", path="gs://texts/corpus", max_bundle_file_bytes=1
    )
    first = STEP.list_parts(config)
    outputs = [STEP.run(Inputs(part.key, source=part), config) for part in first]
    rows = [pa.Table.from_batches(list(output.rows), DOCUMENTS).to_pylist() for output in outputs]
    bucket.pipe(f"texts/corpus/{first[0].key}", b"another text")
    second = STEP.list_parts(config)
    return {
        "keys": [part.key for part in first],
        "rows": [(row["doc_id"], row["uri"], row["text"]) for part in rows for row in part],
        "quarantined": [row for output in outputs for row in output.quarantined],
        "changed": [one.key for one, other in zip(first, second, strict=True) if one != other],
        "digests": [file.digest for part in first for file in part.files],
    }


server = create_server("127.0.0.1", PORT, in_memory=True, default_bucket="texts")
server.start()
try:
    print(json.dumps(read(Path(sys.argv[1]))))
finally:
    server.stop()
