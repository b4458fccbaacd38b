"""The data's part of the report: what became of the documents, and the tokenizer.

Asks the receipts where they know, and small columns of the rows where they do not; of texts, only
as many are read as the report shows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from catalog.funnel import StepRows, funnel
from catalog.opened import CONVERSATIONS, CURATED, INGEST, SPLITS, OpenedRun
from catalog.passed_over import passed_over
from catalog.piece_use import PieceUse, read_piece_use
from catalog.relations import ask_rows, connect, quoted
from catalog.report.facts import Data, Side, SourceCount, Stage, TokenizerFacts
from catalog.report.read_run import facts_of, has, summed_facts
from data_contracts.tokenizer import Tokenizer, tokenizer_of
from store.datasets import StoredPart

SIGNALS = "compute_signals"
TOKENIZER = "train_tokenizer"
TOKENS = "pack_tokens"
GROUP_LABEL = "package"
MAX_GROUPS = 24
OTHERS = "all others"

Ask = Callable[[str], list[dict[str, Any]]]

_SNIPPET_CHARS = 260
_NUM_LONGEST = 16


def read_data(opened: OpenedRun) -> Data | None:
    """Return what became of the documents, or None if none were read."""
    if not has(opened, INGEST):
        return None
    counted = [rows for rows in funnel(opened) if _is_told(opened, rows)]
    tokens = summed_facts(opened, TOKENS)
    lengths, unit = _lengths(opened)
    with asking(opened) as ask:
        by = grouped_by(ask, INGEST)
        return Data(
            stages=tuple(_stage(opened, ask, rows) for rows in counted),
            sides=tuple(_sides(opened, ask, tokens)),
            grouped_by=by,
            sources=tuple(_sources(opened, ask, by)),
            lengths=lengths,
            length_unit=unit,
            quarantine_errors=_errors(ask),
            lower_block_texts=tokens.get("lower_block_texts"),
            passed_over=passed_over(opened.dataset(INGEST)),
            changed_texts=tokens.get("changed_texts"),
            whole_texts=tokens.get("whole_texts"),
            whole_because=facts_of(opened, TOKENS).get("whole_because"),
        )


@contextlib.contextmanager
def asking(opened: OpenedRun) -> Iterator[Ask]:
    """Give a function that asks SQL of all views of a run and returns its rows."""
    with connect(opened.views) as connection:
        yield lambda sql: ask_rows(connection, sql)


def _is_told(opened: OpenedRun, rows: StepRows) -> bool:
    """Tell whether a step is a stage of the funnel: the first, the last, or one that lost any."""
    if rows.step in (INGEST, CURATED):
        return True
    position = opened.steps().index(rows.step)
    curates = CURATED not in opened.steps() or position < opened.steps().index(CURATED)
    return curates and rows.rows.dropped + rows.rows.quarantined > 0


def _stage(opened: OpenedRun, ask: Ask, rows: StepRows) -> Stage:
    sizes = _bytes_by_reason(opened, ask, rows.step)
    return Stage(
        step=rows.step,
        num_documents=rows.rows.num_in,
        num_bytes=sum(sizes.values()) if sizes else None,
        reasons=rows.reasons,
        quarantined=rows.rows.quarantined,
        reason_bytes={reason: size for reason, size in sizes.items() if reason},
    )


def _bytes_by_reason(opened: OpenedRun, ask: Ask, step: str) -> dict[str, int]:
    """Sum the bytes of a step's documents by reason, "" for kept; nothing if not measured."""
    if not _are_measured(opened):
        return {}
    reason = "reason" if "reason" in opened.views[step].schema.names else "NULL"
    join = "" if step == INGEST else f"JOIN {quoted(step)} USING (doc_id)"
    found = ask(
        f"""
        SELECT coalesce({reason}, '') AS reason, coalesce(sum(num_bytes), 0)::BIGINT AS size
        FROM (SELECT doc_id, num_bytes FROM {SIGNALS}) {join} GROUP BY ALL
        """
    )
    return {row["reason"]: row["size"] for row in found}


def _are_measured(opened: OpenedRun) -> bool:
    return has(opened, SIGNALS) and "num_bytes" in opened.views[SIGNALS].schema.names


def _sides(opened: OpenedRun, ask: Ask, tokens: Mapping[str, int]) -> Iterator[Side]:
    if not has(opened, CURATED):
        return
    size, join = _size_sql(opened)
    rows = ask(f"SELECT split, count(*) AS n, {size} AS size FROM {CURATED} {join} GROUP BY ALL")
    found = {row["split"]: row for row in rows}
    for split in SPLITS:
        row = found.get(split, {})
        yield Side(
            split=split,
            num_documents=row.get("n", 0),
            num_bytes=tokens.get(f"{split}_bytes", row.get("size")),
            num_tokens=tokens.get(f"{split}_tokens"),
        )


def _size_sql(opened: OpenedRun) -> tuple[str, str]:
    """Return the SQL for the bytes of curated texts, and for the join that it needs."""
    if not _are_measured(opened):
        return "NULL::BIGINT", ""
    join = f"JOIN (SELECT doc_id, num_bytes FROM {SIGNALS}) USING (doc_id)"
    return "sum(num_bytes)::BIGINT", join


def grouped_by(ask: Ask, step: str) -> str:
    """Return by what a step's documents are told apart: their label ``package``, else source."""
    found = ask(f"SELECT 1 FROM {quoted(step)} WHERE map_contains(labels, '{GROUP_LABEL}') LIMIT 1")
    return GROUP_LABEL if found else "source"


def group_sql(by: str) -> str:
    """Return the SQL for what a document is told apart by."""
    return "source" if by == "source" else f"coalesce(labels['{GROUP_LABEL}'], source)"


def _sources(opened: OpenedRun, ask: Ask, by: str) -> list[SourceCount]:
    """Count documents by package or source, most curated bytes first, the smallest pooled."""
    read = ask(f"SELECT {group_sql(by)} AS name, count(*) AS n FROM {INGEST} GROUP BY ALL")
    curated = {row["name"]: row for row in _curated_sources(opened, ask, by)}
    found = [
        SourceCount(
            name=row["name"],
            num_read=row["n"],
            num_curated=curated.get(row["name"], {}).get("n", 0),
            num_heldout=curated.get(row["name"], {}).get("heldout", 0),
            num_bytes=curated.get(row["name"], {}).get("size"),
        )
        for row in read
    ]
    found.sort(key=lambda item: (-item.num_curated, -item.num_read, item.name))
    if len(found) <= MAX_GROUPS:
        return found
    return [*found[: MAX_GROUPS - 1], _pooled(found[MAX_GROUPS - 1 :])]


def _curated_sources(opened: OpenedRun, ask: Ask, by: str) -> list[dict[str, Any]]:
    if not has(opened, CURATED):
        return []
    size, join = _size_sql(opened)
    return ask(
        f"""
        SELECT {group_sql(by)} AS name, count(*) AS n, {size} AS size,
            count(*) FILTER (split = 'heldout') AS heldout
        FROM {CURATED} {join} GROUP BY ALL
        """
    )


def _pooled(sources: list[SourceCount]) -> SourceCount:
    sizes = [source.num_bytes for source in sources if source.num_bytes is not None]
    return SourceCount(
        name=OTHERS,
        num_read=sum(source.num_read for source in sources),
        num_curated=sum(source.num_curated for source in sources),
        num_heldout=sum(source.num_heldout for source in sources),
        num_bytes=sum(sizes) if sizes else None,
    )


def _lengths(opened: OpenedRun) -> tuple[tuple[int, ...], str]:
    """Return the lengths of curated documents in tokens if they were packed, else in words."""
    for step, column, unit in ((TOKENS, "num_tokens", "tokens"), (CURATED, "num_words", "words")):
        if has(opened, step):
            return tuple(opened.table(step, [column])[column].to_pylist()), unit
    return (), "words"


def _errors(ask: Ask) -> dict[str, int]:
    """Count quarantined records of documents by error; conversations are told by themselves."""
    sql = f"""
        SELECT error, count(*) AS n FROM quarantine WHERE step <> '{CONVERSATIONS}'
        GROUP BY ALL ORDER BY n DESC, error LIMIT 12
        """
    return {row["error"]: row["n"] for row in ask(sql)}


def read_tokenizer(opened: OpenedRun) -> TokenizerFacts | None:
    """Return the tokenizer's facts with a text in pieces, or None if there is none."""
    if not has(opened, TOKENIZER):
        return None
    tokenizer = tokenizer_of(opened.table(TOKENIZER))
    uri, text = _snippet(opened)
    return TokenizerFacts(
        facts=facts_of(opened, TOKENIZER),
        uri=uri,
        pieces=tuple(tokenizer.piece(int(number)) for number in tokenizer.encode(text)),
        longest=tuple(_longest(tokenizer)),
        use=tuple(_use(opened, tokenizer)),
    )


def _use(opened: OpenedRun, tokenizer: Tokenizer) -> list[PieceUse]:
    if not has(opened, TOKENS) or not has(opened, CURATED):
        return []
    with asking(opened) as ask:
        by = grouped_by(ask, CURATED)
    return read_piece_use(opened, tokenizer, group_sql(by))


def _longest(tokenizer: Tokenizer) -> list[str]:
    pieces = [tokenizer.piece(number) for number in range(tokenizer.vocabulary.vocab_size)]
    learnt = [piece for piece in pieces if not piece.startswith("<") and piece.strip("▁")]
    return sorted(learnt, key=lambda piece: (-len(piece), piece))[:_NUM_LONGEST]


def _snippet(opened: OpenedRun) -> tuple[str | None, str]:
    """Return where a text is from, and how it begins: the first held-out one of middling length."""
    fallback: tuple[str | None, str] = (None, "")
    for part in opened.dataset(CURATED).parts if has(opened, CURATED) else ():
        stored = StoredPart(opened.storage, part, part.key)
        for row in stored.table(["uri", "text", "split", "num_words"]).to_pylist():
            if row["split"] == "heldout" and 30 <= row["num_words"] <= 120:
                return row["uri"], _beginning(row["text"])
            if fallback[0] is None:
                fallback = row["uri"], _beginning(row["text"])
    return fallback


def _beginning(text: str) -> str:
    """Return the first words of a text."""
    if len(text) <= _SNIPPET_CHARS:
        return text
    cut = text[:_SNIPPET_CHARS]
    return cut[: max(cut.rfind(" "), cut.rfind("\n"), _SNIPPET_CHARS // 2)]
