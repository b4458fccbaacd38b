"""Measures of token shards and tokenizers, held against loops over what was written."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_tables import subject

from catalog.contracts.folder import folder_subject
from catalog.contracts.measures import PART_MEASURES
from catalog.contracts.subject import CheckedPart
from data_contracts.errors import ContractError, Damaged
from data_contracts.shard_index import file_names
from data_contracts.shards import Vocabulary
from data_contracts.tokenizer import TOKENIZERS
from data_contracts.write_shards import write_index, write_shard
from store.datasets import ExtraFile, Receipt, Rows, StoredPart, extra_name
from store.identity import digest_bytes, digest_file
from store.storage import Storage

BOS, EOS, SIZE = 1, 2, 50
VOCABULARY = Vocabulary(SIZE, BOS, EOS, None, "digest")
SHARDS = {"train": [3, 2, 7, 4], "heldout": [2, 5]}  # tokens of each document


def packed(tmp_path: Path, rows: list[Any], tokens: dict[str, Any] | None = None) -> CheckedPart:
    """Return a stored partition with these rows; ``tokens`` stand in the shards instead."""
    folder = tmp_path / "made"
    folder.mkdir(parents=True)
    entries = []
    for name, lengths in SHARDS.items():
        documents = [np.array([BOS, *[9] * (n - 2), EOS]) for n in lengths]
        entries.append(write_shard(folder, name, documents, [1] * len(lengths), "<u2"))
    write_index(folder, VOCABULARY, entries)
    for name, values in (tokens or {}).items():
        np.asarray(values, "<u2").tofile(folder / f"{name}.bin")
    storage, files = Storage(str(tmp_path / "home")), {}
    for name in file_names(SHARDS):
        path = folder / name
        files[name] = ExtraFile(path.stat().st_size, digest_file(path))
        storage.publish(extra_name("pack_tokens", "f", name), path)
    receipt = Receipt(
        "pack_tokens", "p", "f", "d", {}, {}, len(rows), 0, 0, "", 0, Rows(), files=files
    )
    table = pa.Table.from_pylist(rows)
    return CheckedPart("p", "d", table.schema, table, StoredPart(storage, receipt, "p"))


def rows_of_shards() -> list[dict[str, Any]]:
    rows = []
    for name, lengths in SHARDS.items():
        starts = np.cumsum([0, *lengths])
        rows += [
            {"doc_id": f"{name}{i}", "shard": name, "token_offset": int(starts[i]), "num_tokens": n}
            for i, n in enumerate(lengths)
        ]
    return rows


def in_shards() -> dict[str, list[int]]:
    return {
        name: [t for n in lengths for t in (BOS, *[9] * (n - 2), EOS)]
        for name, lengths in SHARDS.items()
    }


def test_sound_shards_have_nothing_broken(tmp_path):
    part = packed(tmp_path, rows_of_shards())
    outside = PART_MEASURES["token_ids_outside"](part, {})
    unlike = PART_MEASURES["shards_unlike_rows"](part, {})
    assert (outside.num_checked, outside.num_broken) == (23, 0)
    assert (unlike.num_checked, unlike.num_broken, unlike.samples) == (6, 0, ())


def test_ids_outside_the_vocabulary_are_counted_and_named(tmp_path):
    random, seen = np.random.default_rng(3), 0
    for attempt in range(5):
        tokens = {}
        for name, ids in in_shards().items():
            others = random.integers(SIZE, 65536, len(ids))
            tokens[name] = np.where(random.random(len(ids)) < 0.3, others, ids)
        part = packed(tmp_path / str(attempt), rows_of_shards(), tokens)
        expected = [
            f"{name}[{i}]={token}"
            for name, ids in tokens.items()
            for i, token in enumerate(ids)
            if token >= SIZE
        ]
        found = PART_MEASURES["token_ids_outside"](part, {})
        assert (found.num_checked, found.num_broken) == (23, len(expected))
        assert sorted(found.samples) == sorted(expected)[:10] or len(expected) > 10
        seen += len(expected)
    assert seen > 10


def broken_by_hand(rows: list[dict[str, Any]], tokens: dict[str, Any]) -> int:
    broken = 0
    for row in rows:
        ids = list(tokens.get(row["shard"], []))
        start, end = row["token_offset"], row["token_offset"] + row["num_tokens"]
        fits = start >= 0 and row["num_tokens"] >= 2 and end <= len(ids)
        broken += not (fits and ids[start] == BOS and ids[end - 1] == EOS)
    return broken


def test_rows_that_do_not_lie_where_they_say_are_counted(tmp_path):
    random, seen = np.random.default_rng(4), Counter()
    for attempt in range(30):
        rows, tokens = rows_of_shards(), in_shards()
        for row in rows:
            change = random.integers(0, 8)
            if change < 3:
                field = ("token_offset", "num_tokens")[random.integers(2)]
                row[field] += int(random.integers(-30, 30))
            elif change == 3:
                row["shard"] = str(random.choice(["train", "heldout", "other", ""]))
        if attempt % 2:
            tokens["train"][int(random.integers(len(tokens["train"])))] = 9
        part = packed(tmp_path / str(attempt), rows, tokens)
        found = PART_MEASURES["shards_unlike_rows"](part, {})
        expected = broken_by_hand(rows, tokens)
        assert (found.num_checked, found.num_broken) == (6, expected)
        assert len(found.samples) == min(10, expected)
        seen[expected > 0] += 1
    assert seen[True] > 10


def test_shards_of_other_bytes_or_without_a_file_are_damaged(tmp_path):
    part = packed(tmp_path, rows_of_shards())
    assert part.stored is not None
    path = part.stored.storage.local_path(extra_name("pack_tokens", "f", "train.bin"))
    assert path is not None
    path.chmod(0o644)
    data = path.read_bytes()
    path.write_bytes(data[:-2] + b"\xff\xff")
    for name in ("token_ids_outside", "shards_unlike_rows"):
        with pytest.raises(Damaged, match="verify --repair"):
            PART_MEASURES[name](part, {})
    path.unlink()
    with pytest.raises(Damaged, match="verify --repair"):
        PART_MEASURES["token_ids_outside"](part, {})


def test_without_files_there_is_nothing_to_measure():
    (part,) = subject(pa.Table.from_pylist(rows_of_shards())).parts
    for name in ("token_ids_outside", "shards_unlike_rows"):
        found = PART_MEASURES[name](part, {})
        assert (found.kept, found.problem) == (False, "its shards are not here")


def test_tokenizers_must_load_and_be_what_they_are_named(tmp_path):
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g h"] * 20),
        model_writer=model,
        vocab_size=14,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    data = model.getvalue()
    rows = [
        {"name": "good", "digest": digest_bytes(data), "data": data},
        {"name": "renamed", "digest": digest_bytes(b"other"), "data": data},
        {"name": "cut", "digest": digest_bytes(data[:50]), "data": data[:50]},
        {"name": "empty", "digest": digest_bytes(b""), "data": b""},
    ]
    (part,) = subject(pa.Table.from_pylist(rows, schema=TOKENIZERS)).parts
    found = PART_MEASURES["tokenizers_broken"](part, {})
    assert (found.num_checked, found.num_broken) == (4, 3)
    assert [sample.partition(":")[0] for sample in found.samples] == ["renamed", "cut", "empty"]


@pytest.mark.parametrize("name", sorted(PART_MEASURES))
def test_they_take_no_arguments(name):
    (part,) = subject(pa.table({"x": [1]})).parts
    with pytest.raises(ContractError, match=f"{name} takes no `size`"):
        PART_MEASURES[name](part, {"size": 3})


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_unclean_texts_are_those_that_python_finds(tmp_path, kind):
    draw, num_unclean = random.Random(3), 0
    marks = ["", "\x00", "\x1f", "\t", "\n", "\x0b", "\r", "é", "\x7f", "\u0085", "漢", "a b"]
    for number in range(40):
        texts = ["".join(draw.choices(marks, k=draw.randrange(4))) for _ in range(30)] + [None]
        path = tmp_path / f"{number}.parquet"
        ids = pa.array([f"d{n}" for n in range(31)])
        table = pa.table({"id": ids, "text": pa.array(texts, kind)}).slice(number % 5)
        pq.write_table(table, path, row_group_size=7)
        (part,) = folder_subject(path, "documents").parts
        unclean = [
            i
            for i, text in table.select(["id", "text"]).to_pandas().itertuples(index=False)
            if isinstance(text, str)
            and (not text or any(ord(c) < 32 and c not in "\t\n" for c in text))
        ]
        found = PART_MEASURES["unclean_texts"](part, {"of": "text"})
        assert (found.num_checked, found.num_broken) == (len(table), len(unclean))
        assert found.samples == tuple(f"id={i!r}" for i in unclean[:10])
        num_unclean += len(unclean)
    assert num_unclean > 100


def test_unclean_texts_of_no_column_are_a_problem(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")
    (part,) = folder_subject(tmp_path, "documents").parts
    assert "no column 'text'" in PART_MEASURES["unclean_texts"](part, {}).problem
