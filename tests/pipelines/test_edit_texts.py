import pyarrow as pa
import pytest
from memory_part import inputs_of

from data_contracts.documents import DOCUMENTS, hash_text
from data_contracts.errors import RecipeError
from pipelines import edit_texts as module
from pipelines.compute_signals import STEP_WITH_EDITS, compute_signals
from pipelines.edit_texts import STEP, EditsConfig, edit_facts, edit_texts, edited_schema
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import signals_schema, with_asked

USE = ("c4_lines@datatrove-0.10",)
KEPT = "The first line is kept here. It has two sentences."
LONG = "\n".join([KEPT, "No stop at the end", f"{KEPT}[12]", "Short.", KEPT])
TEXTS = [LONG, "Only one sentence stands here.", "", "One { two three four.", LONG.upper()]
EDITED = "\n".join([KEPT] * 3)


def documents(texts, chunk_rows=None):
    rows = [
        {
            "doc_id": f"{number:032x}",
            "source": "s",
            "uri": "u",
            "record_key": str(number),
            "kind": "text",
            "text": text,
            "text_hash": hash_text(text),
            "labels": [("a", "b")],
            "num_repairs": number,
        }
        for number, text in enumerate(texts)
    ]
    table = pa.Table.from_pylist(rows, DOCUMENTS)
    return pa.Table.from_batches(table.to_batches(chunk_rows), table.schema)


def rows_of(output, config):
    return pa.Table.from_batches(list(output.rows), edited_schema(config))


def test_texts_are_edited_and_all_else_stays():
    table, config = documents(TEXTS), EditsConfig(USE)
    rows = rows_of(edit_texts(inputs_of(documents=table), config), config)
    expected = [EDITED, *TEXTS[1:4], EDITED.upper()]
    assert rows["text"].to_pylist() == expected
    assert rows["text_hash"].to_pylist() == [hash_text(text) for text in expected]
    others = [name for name in DOCUMENTS.names if name not in ("text", "text_hash")]
    assert rows.select(others).equals(table.select(others))
    assert rows["num_c4_edit_kept_lines"].to_pylist()[0] == 3
    assert rows["num_c4_edit_citations"].to_pylist()[0] == 1
    assert rows["num_c4_edit_curly_brackets"].to_pylist() == [0, 0, 0, 1, 0]
    assert rows.column_names == [*DOCUMENTS.names, *(field.name for field in edit_facts(config))]
    rows.validate(full=True)


@pytest.mark.parametrize("chunk_rows", [1, 2, 4])
@pytest.mark.parametrize("slice_bytes", [1, 200, 2**22])
def test_chunks_and_slices_change_nothing(monkeypatch, chunk_rows, slice_bytes):
    config = EditsConfig(USE)
    whole = rows_of(edit_texts(inputs_of(documents=documents(TEXTS * 3)), config), config)
    real = module.slices_of
    monkeypatch.setattr(module, "slices_of", lambda texts: real(texts, slice_bytes))
    chunked = inputs_of(documents=documents(TEXTS * 3, chunk_rows))
    assert rows_of(edit_texts(chunked, config), config).equals(whole)


def test_no_documents_give_no_rows():
    config = EditsConfig(USE)
    assert rows_of(edit_texts(inputs_of(documents=documents([])), config), config).num_rows == 0


def test_signals_of_both_texts_stand_side_by_side():
    edits = EditsConfig(USE)
    before = documents(TEXTS)
    after = rows_of(edit_texts(inputs_of(documents=before), edits), edits)
    asked = ["edited_num_lines", "num_c4_edit_sentences"]
    config = with_asked(SignalsConfig(edits=USE), asked)
    assert config.edited_families == ("characters", "words", "lines")
    output = compute_signals(inputs_of(documents=before, edited=after), config)
    rows = pa.Table.from_batches(list(output.rows), signals_schema(config))
    assert rows["num_chars"].to_pylist() == [len(text) for text in TEXTS]
    assert rows["edited_num_chars"].to_pylist() == [len(text) for text in after["text"].to_pylist()]
    assert rows["edited_num_lines"].to_pylist() == [3, 1, 0, 1, 3]
    assert rows["num_c4_edit_sentences"].equals(after["num_c4_edit_sentences"])
    field = rows.schema.field("edited_num_lines")
    assert field.metadata[b"description"].startswith(b"Of the edited text: ")


def test_edits_that_tell_the_same_cannot_be_in_one_recipe():
    with pytest.raises(RecipeError, match="keep one of them"):
        EditsConfig((*USE, "c4_lines_any_ending@datatrove-0.10"))


def test_an_edit_that_is_none_names_the_nearest():
    with pytest.raises(RecipeError, match=r"c4_lines@datatrove-0\.10"):
        EditsConfig(("c4_lines",))


def test_rules_about_edits_need_one():
    with pytest.raises(RecipeError, match=r"edits\.use lists no edit"):
        with_asked(SignalsConfig(), ["edited_num_words"])
    with pytest.raises(RecipeError, match=r"num_c4_edit_sentences, which the edit c4_lines@"):
        with_asked(SignalsConfig(), ["num_c4_edit_sentences"])


def test_step_maps_over_documents_and_accounts_for_them():
    assert (STEP.name, STEP.kind, STEP.accounts_for) == ("edit_texts", "map", "documents")
    assert STEP.rows_schema(EditsConfig()).equals(DOCUMENTS)
    assert STEP.rows_schema(EditsConfig(USE)).equals(edited_schema(EditsConfig(USE)))
    assert set(STEP_WITH_EDITS.inputs) == {"documents", "edited"}
