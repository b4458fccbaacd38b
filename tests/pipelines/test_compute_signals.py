import io
import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
import zstandard
from memory_part import inputs_of

from data_contracts.errors import UsageError
from pipelines.compute_signals import STEP, compute_signals, measure_texts
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import SIGNALS_SCHEMA

TEXTS = ["One two.\n\n- three", "", "…", "中文。 the", "x" * 5000, "the\n" * 100]


def documents(texts, chunk_rows=None):
    ids = [f"{number:04}" for number in range(len(texts))]
    table = pa.table({"doc_id": ids, "source": ["s"] * len(texts), "text": pa.array(texts)})
    return pa.Table.from_batches(table.to_batches(chunk_rows), table.schema)


def rows_of(output):
    return pa.Table.from_batches(list(output.rows), SIGNALS_SCHEMA)


def test_one_row_per_document_in_the_documents_order():
    table = documents(TEXTS)
    rows = rows_of(compute_signals(inputs_of(documents=table), SignalsConfig()))
    assert rows["doc_id"].to_pylist() == table["doc_id"].to_pylist()
    assert rows["num_chars"].to_pylist() == [len(text) for text in TEXTS]
    assert rows.column_names == SIGNALS_SCHEMA.names
    rows.validate(full=True)
    assert all(column.null_count == 0 for column in rows.columns)


@pytest.mark.parametrize("chunk_rows", [1, 2, 4])
def test_chunks_change_nothing(chunk_rows):
    whole = rows_of(compute_signals(inputs_of(documents=documents(TEXTS)), SignalsConfig()))
    chunked = documents(TEXTS, chunk_rows)
    assert chunked["text"].num_chunks > 1
    assert rows_of(compute_signals(inputs_of(documents=chunked), SignalsConfig())).equals(whole)


def test_partition_without_documents_gives_no_rows():
    assert (
        rows_of(compute_signals(inputs_of(documents=documents([])), SignalsConfig())).num_rows == 0
    )


def test_threads_change_nothing():
    texts = pa.array(TEXTS * 50)
    slices = [texts.slice(start, 7) for start in range(0, len(texts), 7)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda part: measure_texts(part, SignalsConfig()), slices))
    whole = measure_texts(texts, SignalsConfig())
    assert len(parts) > 10
    for name in SIGNALS_SCHEMA.names[1:]:
        assert pa.concat_arrays([part[name] for part in parts]).equals(whole[name])


def test_null_text_is_refused():
    table = documents(TEXTS).set_column(2, "text", pa.array([None, *TEXTS[1:]]))
    with pytest.raises(UsageError, match="1 texts are null"):
        rows_of(compute_signals(inputs_of(documents=table), SignalsConfig()))


def test_step_maps_over_documents_and_accounts_for_them():
    assert (STEP.name, STEP.kind, STEP.accounts_for) == ("compute_signals", "map", "documents")
    assert STEP.inputs == {"documents": "aligned"}
    assert STEP.schema is SIGNALS_SCHEMA
    assert STEP.run is compute_signals
    assert STEP.config() == SignalsConfig()


def test_real_reviews(shared_data):
    path = shared_data / "imdb-unsup" / "imdb_unsup.jsonl.zst"
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as raw:
        lines = io.TextIOWrapper(raw, encoding="utf-8")
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(2000), strict=False)]
    assert len(texts) == 2000
    signals = measure_texts(pa.array(texts), SignalsConfig())
    assert signals["num_chars"].to_pylist() == [len(text) for text in texts]
    assert signals["num_words"].to_pylist() == [len(text.split()) for text in texts]
    assert signals["num_lines"].to_pylist() == [len(text.splitlines()) for text in texts]
    english = sum(number >= 2 for number in signals["num_stop_words"].to_pylist())
    assert english > 1900
