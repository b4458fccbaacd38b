"""Keys that more texts share than are compared with each other: what was left out of the search."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa
from pyarrow import csv

from catalog.clusters import Document, places_of
from catalog.opened import OpenedRun
from catalog.relations import ask_rows, connect
from store.datasets import Receipt, damaged_part
from store.identity import digest_bytes

CANDIDATES, SIGNATURES = "find_candidates", "compute_signatures"
CAPPED_FACT, CAPPED_FILE = "near.bucket_capped", "capped.csv"
MAX_BYTES = 64_000_000  # of lists that are read; beyond it only the receipts are asked

_COLUMNS = {"text_key": pa.uint64(), "band_key": pa.uint64(), "num_texts": pa.int64()}


@dataclass(frozen=True)
class CappedKey:
    """A key that ``num_texts`` texts share; ``num_left_out`` of them were not compared by it.

    ``example`` is a document with one of these texts, None if none is found.
    """

    num_texts: int
    num_left_out: int
    example: Document | None


@dataclass(frozen=True)
class Capped:
    """How many texts were left out of some comparison, and by how many keys; the largest first.

    If the lists are too long to be read, ``num_keys`` is None, and a text is counted once for each
    part of the search that left it out.
    """

    num_texts: int
    num_keys: int | None
    largest: tuple[CappedKey, ...]


def read_capped(opened: OpenedRun, limit: int) -> Capped | None:
    """Return what the search for near-duplicates left out, None if the run did not search.

    Raises:
        Damaged: if a list is missing or not what was written.
    """
    if CANDIDATES not in opened.steps():
        return None
    parts = [part for part in opened.dataset(CANDIDATES).parts if CAPPED_FILE in part.files]
    if sum(part.files[CAPPED_FILE].size_bytes for part in parts) > MAX_BYTES:
        return Capped(sum(int(part.facts[CAPPED_FACT]) for part in parts), None, ())
    if not parts:
        return Capped(0, 0, ())
    listed = pa.concat_tables([_listed(opened, part) for part in parts])
    with connect({**opened.views, "capped": listed}) as connection:
        (counts,) = ask_rows(connection, _COUNTS_SQL)
        rows = ask_rows(connection, _LARGEST_SQL, limit=limit)
        found = _examples(connection, opened, [row["name"] for row in rows])
    largest = (
        CappedKey(row["num_texts"], row["num_left_out"], found.get(row["name"])) for row in rows
    )
    return Capped(**counts, largest=tuple(largest))


def _listed(opened: OpenedRun, part: Receipt) -> pa.Table:
    """Return the texts that a partition lists."""
    stored = part.extra_name(CAPPED_FILE)
    try:
        data = opened.storage.read(stored)
        if digest_bytes(data) != part.files[CAPPED_FILE].digest:
            raise ValueError("it is not as it was written")
        options = csv.ConvertOptions(column_types=_COLUMNS, include_columns=list(_COLUMNS))
        return csv.read_csv(pa.py_buffer(data), convert_options=options)
    except (FileNotFoundError, ValueError) as error:
        raise damaged_part(opened.storage, stored, error) from error


def _examples(
    connection: duckdb.DuckDBPyConnection, opened: OpenedRun, names: list[str]
) -> dict[str, Document]:
    """Return a document for each of some texts, by how the hash of its normalised form begins."""
    if SIGNATURES not in opened.views or not names:
        return {}
    rows = ask_rows(connection, _EXAMPLES_SQL, names=names)
    places = places_of(connection, opened, [row["doc_id"] for row in rows])
    return {row["name"]: places[row["doc_id"]] for row in rows}


_COUNTS_SQL = """
    SELECT count(DISTINCT text_key) AS num_texts, count(DISTINCT band_key) AS num_keys FROM capped
"""
# Texts that fill several keys alike, as the pages of one template do, are shown by one of these.
_LARGEST_SQL = """
    WITH keys AS (
        SELECT band_key, max(num_texts) AS num_texts, count(*) AS num_left_out,
            min(text_key) AS text_key
        FROM capped GROUP BY band_key
    )
    SELECT DISTINCT num_texts, num_left_out, printf('%016x', text_key) AS name FROM keys
    ORDER BY num_texts DESC, num_left_out DESC, name LIMIT $limit
"""
_EXAMPLES_SQL = f"""
    SELECT left(normal_hash, 16) AS name, min(doc_id) AS doc_id
    FROM {SIGNATURES} WHERE list_contains($names, left(normal_hash, 16)) GROUP BY name
"""
