from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from memory_part import inputs_of

from data_contracts.documents import CURATED, DOCUMENTS, SPLITS, doc_id, hash_text
from pipelines.materialize import MaterializeConfig, materialize


def document(number, text):
    return {
        "doc_id": doc_id("s", str(number)),
        "source": "s",
        "uri": "f.jsonl",
        "record_key": str(number),
        "kind": "text",
        "text": text,
        "text_hash": hash_text(text),
        "url": None if number % 2 else "u",
        "published_at": None if number % 3 else datetime(2020, 1, 1, number % 24, tzinfo=UTC),
        "labels": [("package", "p"), ("n", str(number))],
        "num_repairs": 0,
        "meta": None,
    }


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.sampled_from([None, "train", "heldout"])), max_size=20
    )
)
def test_kept_documents_come_out_whole_in_document_order(drawn):
    documents = [document(i, text) for i, (text, _) in enumerate(drawn)]
    sizes = [
        {"doc_id": d["doc_id"], "num_chars": len(d["text"]), "num_words": len(d["text"].split())}
        for d in documents
    ]
    splits = [
        {"doc_id": d["doc_id"], "keep": True, "split": side}
        for d, (_, side) in zip(documents, drawn, strict=True)
        if side
    ]
    signals = pa.schema(
        [("doc_id", pa.string()), ("num_chars", pa.int64()), ("num_words", pa.int64())]
    )
    inputs = inputs_of(
        documents=pa.Table.from_pylist(documents, schema=DOCUMENTS),
        signals=pa.Table.from_pylist(sizes[::-1], schema=signals),
        splits=pa.Table.from_pylist(splits[::-1], schema=SPLITS),
    )
    rows = materialize(inputs, MaterializeConfig()).rows
    assert rows.schema.equals(CURATED)
    expected = [
        {**d, "split": side, **{k: s[k] for k in ("num_chars", "num_words")}}
        for d, s, (_, side) in zip(documents, sizes, drawn, strict=True)
        if side
    ]
    assert rows.to_pylist() == expected
