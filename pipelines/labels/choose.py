"""Choosing labelled documents by ids alone: which are train, dev or test, which are left out.

Every draw is a hash of the seed and of a group's or document's own name, so it never depends on
partitions, their order or on which other documents there are (but for the limits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError, RecipeError
from data_contracts.labels import PARTITIONS
from pipelines.labels.config import LabelsConfig
from pipelines.sql import query
from store.hints import nearest
from store.step import Part

REASONS = ("no_label", "other_class", "wrong_split", "small_class", "over_the_limit", "same_text")
_MAX_NAMED = 20

CHOSEN = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("label", pa.string(), nullable=False),
    ]
)
_CANDIDATES = pa.schema(
    [*CHOSEN, pa.field("drawn_by", pa.string()), pa.field("split", pa.string())]
)
_FATES = pa.schema([*CHOSEN, pa.field("fate", pa.string(), nullable=False)])


@dataclass
class Choice:
    """The chosen documents (rows of `CHOSEN`), and how many were left out for each reason."""

    chosen: pa.Table
    left_out: dict[str, int]


def choose_documents(parts: Sequence[Part], config: LabelsConfig) -> Choice:
    """Divide the groups, leave out what does not fit, and draw up to the limits.

    Of curated documents, train takes those of the train split alone, dev and test those of the
    held-out split alone: no text that a model is judged by was read in pre-training.

    Raises:
        InputError: if a column, the label or one of the classes is in no document.
    """
    left_out = dict.fromkeys(REASONS, 0)
    keys: set[str] = set()
    found = [_candidates(part, config, left_out, keys) for part in parts]
    candidates = pa.concat_tables([_CANDIDATES.empty_table(), *found])
    if not len(candidates):
        raise _no_label(config, keys)
    candidates = _of_classes(candidates, config, left_out)
    fates = query(_sql(config), _FATES, candidates=candidates)
    for row in fates.group_by("fate").aggregate([([], "count_all")]).to_pylist():
        if row["fate"] != "chosen":
            left_out[row["fate"]] = row["count_all"]
    chosen = fates.filter(pc.equal(fates["fate"], "chosen")).select(CHOSEN.names)
    return Choice(chosen.cast(CHOSEN), left_out)


def read_columns(part: Part, names: list[str]) -> pa.Table:
    """Read columns of a partition; raise InputError if it lacks one."""
    table = part.table(names)
    for name in names:
        if name not in table.column_names:
            raise InputError(
                f"the labelled documents of partition {part.key} have no column {name!r}; give "
                f"curated documents for labels.kind = 'corpus', and labelled files for 'files'."
            )
    return table


def _candidates(
    part: Part, config: LabelsConfig, left_out: dict[str, int], keys: set[str]
) -> pa.Table:
    """Return the documents of a partition that have the label; add the keys that any has."""
    names = ["doc_id", "text_hash", "labels", *(["split"] if config.kind == "corpus" else [])]
    table = read_columns(part, names)
    labels = table["labels"]
    for chunk in labels.chunks:
        keys.update(pc.unique(chunk.keys).to_pylist())
    values = _value(labels, config.label_key)
    has_label = pc.fill_null(pc.not_equal(values, ""), False)
    groups = _value(labels, config.group_key)
    groups = pc.if_else(pc.equal(groups, ""), pa.scalar(None, pa.string()), groups)  # none named
    nothing = pa.nulls(len(table), pa.string())
    found = pa.table(
        {
            "doc_id": table["doc_id"],
            "partition": pa.array([""] * len(table), pa.string()),
            "group": groups,
            "label": pc.fill_null(values, ""),
            "drawn_by": pc.coalesce(groups, table["text_hash"]),
            "split": table["split"] if config.kind == "corpus" else nothing,
        },
        schema=_CANDIDATES,
    ).filter(has_label)
    left_out["no_label"] += len(table) - len(found)
    return found


def _value(labels: pa.ChunkedArray, key: str) -> pa.ChunkedArray:
    """Return the value of a key in each map, null where there is none."""
    chunks = [pc.map_lookup(chunk, pa.scalar(key), "first") for chunk in labels.chunks]
    return pa.chunked_array(chunks, pa.string())


def _of_classes(candidates: pa.Table, config: LabelsConfig, left_out: dict[str, int]) -> pa.Table:
    if not config.classes:
        return candidates
    there = set(pc.unique(candidates["label"]).to_pylist())
    for name in config.classes:
        if name not in there:
            raise InputError(
                f"labels.classes names {name!r}, which no document has as {config.label_key!r}; "
                f"{nearest(name, sorted(there)[:_MAX_NAMED])}"
            )
    kept = candidates.filter(pc.is_in(candidates["label"], pa.array(config.classes)))
    left_out["other_class"] = len(candidates) - len(kept)
    return kept


def _sql(config: LabelsConfig) -> str:
    """Return the query that gives each candidate its partition and its fate.

    A draw is the first 32 bits of MD5 of ``<seed>:<group>``, compared with the ratios;
    documents are taken up to a limit in the order of MD5 of ``<seed>:<doc_id>``.
    """
    test = math.ceil(config.test_ratio * 2**32)
    dev = math.ceil((config.dev_ratio + config.test_ratio) * 2**32)
    return f"""
        WITH drawn AS (
            SELECT *, ('0x' || substr(md5('{config.seed}:' || drawn_by), 1, 8))::UINTEGER AS draw,
                md5('{config.seed}:' || doc_id) AS turn
            FROM candidates
        ), divided AS (
            SELECT * REPLACE (CASE WHEN draw < {test} THEN 'test' WHEN draw < {dev} THEN 'dev'
                ELSE 'train' END AS "partition") FROM drawn
        ), fitting AS (
            SELECT *, coalesce((split = 'train') = ("partition" = 'train'), true) AS fits
            FROM divided
        ), sized AS (
            SELECT *, count(*) FILTER (fits AND "partition" = 'train') OVER (PARTITION BY label)
                >= {config.min_train_documents} AS is_large
            FROM fitting
        ), ranked AS (
            SELECT *,
                row_number() OVER (PARTITION BY fits, is_large, "partition", label
                    ORDER BY turn, doc_id) AS of_class,
                row_number() OVER (PARTITION BY fits, is_large, "partition"
                    ORDER BY turn, doc_id) AS of_all
            FROM sized
        )
        SELECT doc_id, "partition", "group", label, CASE
            WHEN NOT fits THEN 'wrong_split'
            WHEN NOT is_large THEN 'small_class'
            WHEN "partition" = 'train' AND of_class > {config.max_train_documents_per_class}
                OR "partition" = 'dev' AND of_all > {config.max_dev_documents}
                OR "partition" = 'test' AND of_all > {config.max_test_documents}
                THEN 'over_the_limit'
            ELSE 'chosen' END AS fate
        FROM ranked ORDER BY doc_id
    """


def _no_label(config: LabelsConfig, keys: set[str]) -> Exception:
    if config.kind == "none":
        return RecipeError("labels.kind is 'none', so there is nothing to pack; set it first.")
    if config.kind == "files":
        return InputError(
            "no labelled record could be read; look at the quarantine for the causes."
        )
    known = ", ".join(sorted(keys)[:_MAX_NAMED]) or "none at all"
    return InputError(
        f"no document has the label {config.label!r}; labels that documents have: {known}. Set "
        f"labels.label to one of them."
    )


def check_classes(counts: dict[str, dict[str, int]], config: LabelsConfig) -> None:
    """Raise InputError unless there are two classes or more, each with train and test documents.

    ``counts`` maps each class to its documents per partition. Dev may lack a class, but not all.
    """
    if len(counts) < 2:
        only = f"only {next(iter(counts))!r}" if counts else "none"
        raise InputError(
            f"a task needs two classes with {config.min_train_documents} train documents each, but "
            f"there is {only}; add documents or lower labels.min_train_documents."
        )
    for partition in PARTITIONS:
        if partition == "dev":
            continue
        lacking = [name for name, sizes in sorted(counts.items()) if not sizes[partition]]
        if lacking:
            raise InputError(
                f"the class {lacking[0]!r} has no {partition} documents; raise "
                f"labels.test_ratio or labels.max_test_documents, take another labels.seed, or "
                f"leave the class out with labels.classes or labels.min_train_documents."
            )
    if not any(sizes["dev"] for sizes in counts.values()):
        raise InputError(
            "there are no dev documents to choose settings by; raise labels.dev_ratio or take "
            "another labels.seed."
        )
