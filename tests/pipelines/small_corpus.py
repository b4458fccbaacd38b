"""Real text as curated documents: the standard library's own files, in two partitions."""

import os
from pathlib import Path

import pyarrow as pa

from data_contracts.documents import CURATED, doc_id, hash_text


def document(number, text, split):
    """Return a row of `CURATED`."""
    return {
        "doc_id": doc_id("s", str(number)),
        "source": "s",
        "uri": "f",
        "record_key": str(number),
        "kind": "text",
        "text": text,
        "text_hash": hash_text(text),
        "labels": [],
        "num_repairs": 0,
        "split": split,
        "num_chars": len(text),
        "num_words": len(text.split()),
    }


def curated(texts):
    """Return texts as a table of `CURATED`; every fifth is held out."""
    rows = [document(i, text, "train" if i % 5 else "heldout") for i, text in enumerate(texts)]
    return pa.Table.from_pylist(rows, CURATED)


def real_texts():
    """Return about 40 files of Python code."""
    paths = sorted(Path(os.__file__).parent.glob("[a-d]*.py"))
    return [path.read_text(encoding="utf-8")[:20_000] for path in paths]


def real_parts():
    """Return the texts as two partitions."""
    table = curated(real_texts())
    return [table.slice(0, 15), table.slice(15)]
