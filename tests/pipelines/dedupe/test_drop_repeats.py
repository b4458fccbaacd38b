import pyarrow as pa
import pytest
from corpus_steps import documents_of, map_parts
from memory_part import inputs_of

from data_contracts.documents import DOCUMENTS, hash_text
from data_contracts.errors import RecipeError, UsageError
from pipelines.dedupe import drop_repeats as module
from pipelines.dedupe.drop_repeats import (
    STEP,
    DropConfig,
    drop_facts,
    drop_repeats,
    drop_step,
    dropped_schema,
)
from pipelines.dedupe.takings import TAKINGS

BOTH = DropConfig(("lines", "spans"))
TEXTS = {"a": "Boilerplate line.\nA span that repeats é.\nThe end.", "b": "", "c": "é only"}


def takings_of(*rows):
    names = ("doc_id", "start_byte", "end_byte")
    others = {"part_key": "p", "partner_id": "z", "partner_start_byte": 0}
    return pa.Table.from_pylist(
        [{**others, **dict(zip(names, row, strict=True))} for row in rows], TAKINGS
    )


LINES, SPANS = takings_of(("a", 0, 18)), takings_of(("a", 6, 39), ("c", 0, 7))


def dropped(documents):
    parts = {"lines": {"p": LINES}, "spans": {"p": SPANS}}
    return map_parts(drop_step(BOTH), BOTH, {"p": documents}, **parts)["p"]


def test_lines_and_spans_are_taken_together_and_all_else_stays():
    documents = documents_of([{"doc_id": key, "text": text} for key, text in TEXTS.items()])
    edited = dropped(documents)
    assert edited["text"].to_pylist() == ["é.\nThe end.", "", ""]
    assert edited["text_hash"].to_pylist() == list(map(hash_text, edited["text"].to_pylist()))
    others = [name for name in DOCUMENTS.names if name not in ("text", "text_hash")]
    assert edited.select(others).equals(documents.select(others))
    facts = edited.select([field.name for field in drop_facts(BOTH)]).to_pylist()
    assert list(map(list, map(dict.values, facts))) == [
        [1, 18, 1, 38 - 18],  # half of é stays, so it stays as a whole
        [0, 0, 0, 0],
        [0, 0, 1, 7],
    ]


@pytest.mark.parametrize("slice_bytes", [1, 60, 2**22])
@pytest.mark.parametrize("chunk_rows", [1, 2, 3])
def test_chunks_and_slices_change_nothing(monkeypatch, slice_bytes, chunk_rows):
    documents = documents_of([{"doc_id": key, "text": text} for key, text in TEXTS.items()])
    whole = dropped(documents)
    real = module.slices_of
    monkeypatch.setattr(module, "slices_of", lambda texts: real(texts, slice_bytes))
    chunked = pa.Table.from_batches(documents.to_batches(chunk_rows), documents.schema)
    assert dropped(chunked).equals(whole)


def test_takings_of_other_texts_are_refused():
    documents = documents_of([{"doc_id": "a", "text": "short"}])
    with pytest.raises(UsageError, match="look for repeats in the very documents"):
        drop_repeats(inputs_of(documents=documents, lines=LINES), DropConfig())


def test_step_maps_over_documents_and_accounts_for_them():
    assert (STEP.name, STEP.kind, STEP.accounts_for) == ("drop_repeats", "map", "documents")
    assert STEP.rows_schema(BOTH).equals(dropped_schema(BOTH))
    assert list(drop_step(BOTH).inputs) == ["documents", "lines", "spans"]
    assert list(drop_step(DropConfig()).inputs) == list(STEP.inputs) == ["documents", "lines"]


@pytest.mark.parametrize("field", drop_facts(BOTH), ids=lambda field: field.name)
def test_facts_are_documented_counts(field):
    assert field.type == pa.int64()
    assert not field.nullable
    assert field.metadata[b"description"].endswith(b".")
    assert field.metadata[b"unit"]


@pytest.mark.parametrize("use", [(), ("words",), ("spans", "lines"), ("lines", "lines")])
def test_what_cannot_be_taken_is_refused(use):
    with pytest.raises(RecipeError, match="give lines, spans"):
        DropConfig(use)
