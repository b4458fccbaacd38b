"""Labelled batches: every document once an epoch, little filled up, what makes no task refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_table import labelled_table

from data_contracts.errors import InputError
from data_contracts.labels import LABELLED
from training.labelled import Documents, LabelledLoader, read_labelled
from training.loader import PADDING


def documents(lengths: list[int]) -> Documents:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    names = tuple(str(number) for number in range(len(lengths)))
    labels = np.zeros(len(lengths), np.int64)
    return Documents(names, np.arange(offsets[-1], dtype=np.int32), offsets, labels)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=200), st.integers(1, 20), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_each_document_comes_once_an_epoch(lengths: list[int], rows: int, seed: int) -> None:
    loader = LabelledLoader(documents(lengths), rows, seed)
    for epoch in range(2):
        batches = loader.batches(epoch)
        sizes = [len(batch) for batch in batches]
        assert len(sizes) == loader.steps_per_epoch
        assert max(sizes) <= rows
        assert max(sizes) - min(sizes) <= 1
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))


def test_rows_hold_the_documents_and_padding() -> None:
    rows = documents([2, 4, 1]).rows(np.array([2, 0]))
    assert rows.tokens_BS.tolist() == [[6, PADDING], [0, 1]]
    assert documents([2, 4, 1]).rows(np.array([1])).tokens_BS.tolist() == [[2, 3, 4, 5]]


def test_any_step_can_be_had_at_once_and_seeds_and_epochs_differ() -> None:
    data = documents([5] * 100)
    loader = LabelledLoader(data, 8, 0)
    straight = [loader(step).row_ids_B.tolist() for step in range(30)]
    for step in (29, 3, 14):
        assert LabelledLoader(data, 8, 0)(step).row_ids_B.tolist() == straight[step]
    assert straight[:13] != straight[13:26]
    assert LabelledLoader(data, 8, 1)(0).row_ids_B.tolist() != straight[0]


def test_like_lengths_stand_together() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 512)
    batches = LabelledLoader(documents(lengths.tolist()), 16, 0).batches(0)
    read = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert read < 1.15 * lengths.sum()
    longest = [int(lengths[batch].max()) for batch in batches[:8]]
    assert longest != sorted(longest)


def test_reading_a_table_cuts_and_counts() -> None:
    table = labelled_table()
    labelled = read_labelled(table, 40, 8)
    train = table.filter(pc.equal(table["partition"], "train")).to_pylist()
    assert labelled.class_names == ("a", "b", "c")
    assert labelled.train.doc_ids == tuple(row["doc_id"] for row in train)
    assert labelled.train.labels_N.tolist() == [row["label"] for row in train]
    for number, row in enumerate(train):
        begin, end = labelled.train.offsets_N1[number : number + 2]
        assert labelled.train.tokens[begin:end].tolist() == row["ids"][:8]
    assert labelled.num_cut == sum(len(ids) > 8 for ids in table["ids"].to_pylist()) > 0
    assert labelled.fingerprint() != read_labelled(table, 40, 9).fingerprint()


def changed(where: dict[str, object], **values: object) -> pa.Table:
    rows = labelled_table().to_pylist()
    for row in rows:
        if all(row[name] == value for name, value in where.items()):
            row.update(values)
    return pa.Table.from_pylist([row for row in rows if row["partition"]], LABELLED)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed({}, label=0, class_name="a"), "have 1 classes; give"),
        (
            changed({"partition": "train", "label": 1}, partition=""),
            "train document is of class 'b'",
        ),
        (changed({"partition": "dev"}, partition=""), "no labelled document is in dev"),
        (changed({"partition": "test"}, partition=""), "no labelled document is in test"),
        (changed({"doc_id": "dev-003"}, ids=[1, 40, 2]), "the id 40, outside the model's"),
        (changed({"doc_id": "dev-003"}, ids=[1, -1, 2]), "the id -1, outside the model's"),
        (changed({"doc_id": "train-004"}, ids=[]), "document train-004 has no tokens"),
        (changed({"label": 2}, label=3), "numbers of the classes are not 0, 1, 2"),
    ],
)
def test_what_makes_no_task_is_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labelled(table, 40, 16)
