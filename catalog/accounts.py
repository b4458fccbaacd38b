"""What became of the documents that a step took in, asked of the files that it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.relations import Relation, ask_rows, carry_out, connect, quarantined_of, rows_of
from store.datasets import Dataset, Receipt
from store.step import Step
from store.storage import Storage

MAX_IDS = 10  # named in a message
_TOTALS = ("num_in", "kept", "dropped", "quarantined")


@dataclass(frozen=True)
class Tally:
    """Documents by fate, and edges, as counted in the written files."""

    num_in: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    edges: int = 0


@dataclass(frozen=True)
class Finding:
    """One way in which rows are not accounted for: ``what`` befell how many, and some of them."""

    what: str
    num_rows: int
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = ", ".join(self.ids)
        more = f" and {self.num_rows - len(self.ids)} more" if self.num_rows > len(self.ids) else ""
        return f"{self.num_rows} {self.what}" + (f" ({named}{more})" if named else "")


def check_documents(
    storage: Storage, step: Step, dataset: Dataset, taken_in: Dataset
) -> tuple[Tally, list[Finding]]:
    """Hold the ids that a step wrote against the kept ids of the dataset that it accounts for."""
    by_slice = step.kind == "whole" and _is_sliced_for(dataset, taken_in)
    relations = {
        "taken": taken_rows(storage, step, dataset, taken_in),
        "written": rows_of(storage, dataset, by_slice=by_slice),
        "quarantined": quarantined_of(storage, [dataset]),
    }
    with connect(relations) as connection:
        carry_out(connection, _views(step, relations, by_slice))
        return balance(connection)


def balance(connection: duckdb.DuckDBPyConnection) -> tuple[Tally, list[Finding]]:
    """Hold the relation ``outs (doc_id, part, fate)`` against ``ins (doc_id, part)``.

    ``fate`` is 1 for kept, 2 for dropped, 3 for quarantined; a NULL ``part`` may be any.
    """
    groups = ask_rows(connection, _SIDES_SQL)
    totals = {name: sum(int(group[name]) for group in groups) for name in _TOTALS}
    return Tally(**totals), findings_of([group for group in groups if group["what"] is not None])


def check_source(storage: Storage, dataset: Dataset) -> tuple[Tally, list[Finding]]:
    """Hold the rows of each partition, and what it passed over, against what its framing counted.

    Also finds ids that stand in two rows, in one partition or in two.
    """
    relations = {
        "written": rows_of(storage, dataset),
        "quarantined": quarantined_of(storage, [dataset]),
    }
    with connect(relations) as connection:
        rows = _counted(connection, "written")
        quarantined = _counted(connection, "quarantined")
        found = ask_rows(connection, _TWICE_SQL)
    findings = [
        finding
        for part in dataset.parts
        for finding in _framing(part, rows.get(part.key, 0), quarantined.get(part.key, 0))
    ]
    kept, set_aside = sum(rows.values()), sum(quarantined.values())
    tally = Tally(kept + set_aside, kept, 0, set_aside)
    return tally, findings + findings_of(found)


def _framing(part: Receipt, rows: int, quarantined: int) -> Iterator[Finding]:
    """Yield a finding if what was framed is not the rows, the quarantined and the passed over.

    Older receipts count what was passed over nowhere but by its reason.
    """
    framed, skipped = part.facts.get("records_framed"), part.facts.get("records_skipped", 0)
    by_reason = sum(part.facts.get("skipped", {}).values())
    if framed != rows + quarantined + skipped:
        yield Finding(
            f"records were framed in partition {part.key!r}, {rows} became rows, "
            f"{quarantined} were quarantined and {skipped} passed over",
            framed or 0,
        )
    if "records_skipped" in part.facts and skipped != by_reason:
        yield Finding(
            f"records were passed over in partition {part.key!r}, {by_reason} for a reason", skipped
        )


def taken_rows(storage: Storage, step: Step, dataset: Dataset, taken_in: Dataset) -> Relation:
    """Return the rows that a step took in, ``part`` being the name by which it binds them."""
    how = step.inputs[step.accounts_for or ""]
    by_slice = how == "bucket" or (how == "aligned" and _is_sliced_for(taken_in, dataset))
    return rows_of(storage, taken_in, by_slice=by_slice)


def part_taken(step: Step) -> str:
    """Return the SQL for the output partition that reads a row taken in, NULL if all do."""
    how = step.inputs[step.accounts_for or ""]
    return "printf('bucket-%04d', part::INTEGER)" if how == "bucket" else "part"


def kept_only(relation: Relation) -> str:
    """Return the SQL condition for the rows of a relation that go on."""
    return "keep" if "keep" in relation.schema.names else "true"


def findings_of(rows: list[dict[str, Any]]) -> list[Finding]:
    """Make findings from rows of (what, num_rows, ids)."""
    return [Finding(row["what"], row["num_rows"], tuple(row["ids"] or ())) for row in rows]


def _is_sliced_for(whole: Dataset, other: Dataset) -> bool:
    """Return whether a dataset is one partition, sliced by the partitions of another."""
    keys = {part.key for part in other.parts}
    if len(whole.parts) != 1 or not whole.parts[0].slices:
        return False
    return set(whole.parts[0].slices) <= keys


def _views(step: Step, relations: Mapping[str, Relation], by_slice: bool) -> str:
    """Return the SQL that says what went in and what came out; a NULL part may be any."""
    keep = kept_only(relations["written"])
    is_whole = step.kind == "whole"
    return f"""
        CREATE TEMP VIEW ins AS SELECT doc_id, {part_taken(step)} AS part
            FROM taken WHERE {kept_only(relations["taken"])};
        CREATE TEMP VIEW outs AS
            SELECT doc_id, CASE WHEN {keep} THEN 1 ELSE 2 END AS fate,
                {"part" if by_slice or not is_whole else "NULL"} AS part FROM written
            UNION ALL
            SELECT doc_id, 3, {"NULL" if is_whole else "part"} FROM quarantined;
    """


def _counted(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, int]:
    rows = ask_rows(connection, f"SELECT part, count(*) AS num_rows FROM {relation} GROUP BY part")
    return {row["part"]: row["num_rows"] for row in rows}


# Both sides are laid over each other by id, so that what has no counterpart (the anti-join of
# either side with the other), has two, or lies elsewhere stands out. A NULL id has none.
_SIDES_SQL = f"""
    WITH sides AS (
        SELECT doc_id, count_if(fate = 0) AS went, count_if(fate = 1) AS kept,
            count_if(fate = 2) AS dropped, count_if(fate = 3) AS quarantined,
            min(part) <> max(part) AS is_elsewhere
        FROM (SELECT doc_id, part, 0 AS fate FROM ins UNION ALL SELECT doc_id, part, fate FROM outs)
        GROUP BY doc_id
    ), named AS (
        SELECT *, kept + dropped + quarantined AS came, concat_ws(' and ',
            CASE WHEN kept > 0 THEN 'kept' END, CASE WHEN dropped > 0 THEN 'dropped' END,
            CASE WHEN quarantined > 0 THEN 'quarantined' END) AS fates
        FROM sides
    ), judged AS (
        SELECT *, CASE
            WHEN came = 0 THEN 'went in and came out nowhere'
            WHEN went = 0 THEN 'never went in and came out ' || fates
            WHEN went > 1 THEN 'went in more than once'
            WHEN came > 1 THEN 'came out more than once, ' || fates
            WHEN is_elsewhere THEN 'came out ' || fates || ' in another partition'
            END AS what
        FROM named
    )
    SELECT what, count(*) AS num_rows, min(doc_id, {MAX_IDS}) FILTER (what IS NOT NULL) AS ids,
        sum(went) AS num_in, sum(kept) AS kept, sum(dropped) AS dropped,
        sum(quarantined) AS quarantined
    FROM judged GROUP BY what ORDER BY what
"""

_TWICE_SQL = f"""
    WITH twice AS (
        SELECT doc_id, count(*) AS times, min(part) AS first, max(part) AS last
        FROM written GROUP BY doc_id HAVING count(*) > 1 OR doc_id IS NULL
    ), judged AS (
        SELECT doc_id, CASE WHEN first = last THEN 'stand more than once in partition ' || first
            ELSE 'stand in more than one partition, such as ' || first || ' and ' || last
            END AS what
        FROM twice
    )
    SELECT any_value(what ORDER BY what) AS what, count(*) AS num_rows,
        min(doc_id, {MAX_IDS}) AS ids
    FROM judged HAVING count(*) > 0
"""
