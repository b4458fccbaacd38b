"""What a run's tokenizer makes of its text, by source and language: bytes a token, unused pieces.

Asked of the token shards: of held-out documents, or of those of train if there are none, in the
order of partitions up to a number of tokens.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from catalog.opened import CURATED, OpenedRun
from data_contracts.open_shards import open_shards
from data_contracts.shard_index import file_names
from data_contracts.tokenizer import Tokenizer
from store.datasets import StoredPart

TOKENS = "pack_tokens"
SIGNALS = "compute_signals"
MAX_TOKENS = 4_000_000


@dataclass(frozen=True)
class PieceUse:
    """What a tokenizer makes of the texts of a source in a language.

    ``language`` is None where none was measured. ``num_tokens`` is without BOS and EOS;
    ``num_unused`` counts pieces that none of these texts uses.
    """

    source: str
    language: str | None
    num_documents: int
    num_bytes: int
    num_tokens: int
    num_unused: int


def read_piece_use(opened: OpenedRun, tokenizer: Tokenizer, source_sql: str) -> list[PieceUse]:
    """Return the use of pieces by source and language, most bytes first.

    ``source_sql`` tells the source of a row of the curated documents.
    """
    split = _split(opened)
    members = opened.sql(_members_sql(opened, source_sql), split=split)
    groups = members.group_by(["number", "source", "language"]).aggregate([]).sort_by("number")
    use = [_Use(tokenizer.vocabulary.vocab_size) for _ in range(len(groups))]
    num_seen = 0
    for part in opened.dataset(TOKENS).parts:
        if num_seen >= MAX_TOKENS:
            break
        stored = StoredPart(opened.storage, part, part.key)
        rows = stored.table(["doc_id", "split", "token_offset", "num_tokens", "num_bytes"])
        rows = rows.filter(pc.equal(rows["split"], split)).drop_columns(["split"])
        num_seen += _add(use, stored, split, rows.join(members, "doc_id").to_pylist())
    found = zip(groups.to_pylist(), use, strict=True)
    told = [item.told(row["source"], row["language"], tokenizer.is_piece) for row, item in found]
    told = [item for item in told if item.num_documents]
    return sorted(told, key=lambda item: (-item.num_bytes, item.source, item.language or ""))


def _split(opened: OpenedRun) -> str:
    query = f"SELECT count(*) AS n FROM {TOKENS} WHERE split = 'heldout'"
    return "heldout" if opened.sql(query)["n"][0].as_py() else "train"


def _members_sql(opened: OpenedRun, source_sql: str) -> str:
    """Return the SQL for each document's source, language and number of its group, from 0."""
    is_measured = SIGNALS in opened.steps() and "language" in opened.views[SIGNALS].schema.names
    language = "language" if is_measured else "NULL::VARCHAR"
    join = f"LEFT JOIN (SELECT doc_id, language FROM {SIGNALS}) USING (doc_id)"
    return f"""
        SELECT *, dense_rank() OVER (ORDER BY source, language NULLS FIRST) - 1 AS number
        FROM (SELECT doc_id, {source_sql} AS source, {language} AS language
            FROM {CURATED} {join if is_measured else ""} WHERE split = $split)
    """


@dataclass
class _Use:
    """What has been counted of a group."""

    vocab_size: int
    num_documents: int = 0
    num_bytes: int = 0
    num_tokens: int = 0

    def __post_init__(self) -> None:
        self.is_used = np.zeros(self.vocab_size, np.bool_)

    def told(self, source: str, language: str | None, is_piece: np.ndarray) -> PieceUse:
        num_unused = int(np.count_nonzero(is_piece & ~self.is_used))
        counts = self.num_documents, self.num_bytes, self.num_tokens
        return PieceUse(source, language, *counts, num_unused)


def _add(use: list[_Use], stored: StoredPart, split: str, rows: list[dict[str, Any]]) -> int:
    """Count the documents of a partition; return how many tokens they have."""
    with tempfile.TemporaryDirectory(prefix="millrace-pieces-") as folder:
        for name in file_names([split]):
            source = stored.file(name, Path(folder))
            if source.parent != Path(folder):
                (Path(folder) / name).symlink_to(source)
        (shard,) = open_shards(Path(folder), [split]).shards
        for row in rows:
            start, end = row["token_offset"], row["token_offset"] + row["num_tokens"]
            group = use[row["number"]]
            group.is_used[shard.tokens[start:end]] = True
            group.num_documents += 1
            group.num_bytes += row["num_bytes"]
            group.num_tokens += row["num_tokens"] - 2  # without BOS and EOS
        return len(shard.tokens)
