import pyarrow as pa
import pytest
from memory_part import inputs_of

from data_contracts.documents import SIGNATURES, doc_id, hash_text
from data_contracts.errors import RecipeError
from pipelines.dedupe.compute_signatures import (
    STEP,
    SignaturesConfig,
    bucket_of,
    compute_signatures,
)

TEXTS = [f"Text {number % 40}{'!' * (number % 3)}" for number in range(200)] + ["", "..."]


def documents(texts):
    ids = [doc_id("tests", str(number)) for number in range(len(texts))]
    hashes = [hash_text(text) for text in texts]
    return pa.table({"doc_id": ids, "text": pa.array(texts, pa.string()), "text_hash": hashes})


def test_rows_are_every_document_sorted_by_bucket_and_id():
    table = documents(TEXTS)
    output = compute_signatures(inputs_of(documents=table), SignaturesConfig(num_buckets=4))
    rows = output.rows.to_pylist()
    assert output.slice_by == "bucket"
    assert output.rows.schema.equals(SIGNATURES)
    assert sorted(row["doc_id"] for row in rows) == sorted(table["doc_id"].to_pylist())
    assert rows == sorted(rows, key=lambda row: (row["bucket"], row["doc_id"]))
    assert {row["bucket"] for row in rows} == {0, 1, 2, 3}


def test_each_row_holds_the_hashes_of_its_document():
    texts = dict(zip(documents(TEXTS)["doc_id"].to_pylist(), TEXTS, strict=True))
    output = compute_signatures(inputs_of(documents=documents(TEXTS)), SignaturesConfig())
    for row in output.rows.to_pylist():
        text = texts.pop(row["doc_id"])
        assert row["text_hash"] == hash_text(text)
        form = text.lower().strip("!.")
        assert row["normal_hash"] == hash_text(form or "!raw:" + text)
        assert row["bucket"] == int(row["normal_hash"], 16) >> 96 & 7
    assert not texts


def test_order_of_documents_and_chunks_changes_nothing():
    table = documents(TEXTS)
    shuffled = table.take(list(range(len(TEXTS) - 1, -1, -1)))
    chunked = pa.concat_tables([shuffled.slice(start, 30) for start in range(0, len(TEXTS), 30)])
    expected = compute_signatures(inputs_of(documents=table), SignaturesConfig()).rows
    assert compute_signatures(inputs_of(documents=chunked), SignaturesConfig()).rows.equals(
        expected
    )


def test_partition_without_documents_gives_no_rows():
    output = compute_signatures(inputs_of(documents=documents([])), SignaturesConfig())
    assert output.rows.num_rows == 0
    assert output.rows.schema.equals(SIGNATURES)


def test_bucket_is_the_first_32_bits_modulo():
    assert bucket_of("0000000b" + "f" * 24, 8) == 3
    assert bucket_of("ffffffff" + "0" * 24, 1) == 0


@pytest.mark.parametrize("num_buckets", [0, -1, 65_537])
def test_impossible_number_of_buckets_is_refused(num_buckets):
    with pytest.raises(RecipeError, match="give 1 to 65536"):
        SignaturesConfig(num_buckets)


def test_step_maps_over_documents_and_accounts_for_them():
    assert (STEP.name, STEP.kind, STEP.accounts_for) == ("compute_signatures", "map", "documents")
    assert STEP.inputs == {"documents": "aligned"}
    assert STEP.schema is SIGNATURES
    assert STEP.run is compute_signatures
