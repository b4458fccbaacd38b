import hashlib

import numpy as np
import pytest
from heldout_parts import Unread, documents_of, splits_of, written
from memory_part import MemoryPart

from data_contracts.errors import RecipeError
from pipelines.dedupe.index_heldout import (
    HELDOUT,
    INDEX_FILE,
    HeldoutIndexConfig,
    index_heldout,
    load_heldout,
)
from store.step import Inputs

HELDOUT_TEXTS = {
    "d1": "one two three four five six seven",
    "d3": "One, two, three; FOUR five six seven eight nine ten.",
    "d5": "too short",
    "d7": "",
    "d9": "again " * 30,
}
TRAIN_TEXTS = {"d0": "one two three four five six seven", "d4": "never read"}


def sides_of(texts):
    return splits_of({i: "heldout" if i in HELDOUT_TEXTS else "train" for i in texts})


def index_of(folder, *divided, config=None):
    """Index documents that are divided into partitions, and load what was written."""
    folder.mkdir(exist_ok=True)
    documents = [MemoryPart(f"part-{n}", documents_of(texts)) for n, texts in enumerate(divided)]
    splits = [MemoryPart(f"part-{n}", sides_of(texts)) for n, texts in enumerate(divided)]
    inputs = Inputs("all", {"splits": splits, "documents": documents[::-1]}, scratch=folder)
    output = index_heldout(inputs, config or HeldoutIndexConfig(ngram_words=6))
    assert output.rows.schema.equals(HELDOUT)
    return output, load_heldout(written(output), folder)


def test_rows_and_index_are_of_the_heldout_documents_by_id(tmp_path):
    output, heldout = index_of(tmp_path, TRAIN_TEXTS | dict(reversed(HELDOUT_TEXTS.items())))
    assert output.rows.to_pydict() == {
        "doc_id": ["d1", "d3", "d5", "d7", "d9"],
        "num_shingles": [3, 6, 0, 0, 1],
        "num_ngrams": [2, 5, 0, 0, 1],
    }
    assert heldout.ids.to_pylist() == ["d1", "d3", "d5", "d7", "d9"]
    assert heldout.ngram_words == 6
    assert heldout.shingles.hashes.size == 7  # d3 begins as d1 does
    assert heldout.ngrams.hashes.size == 6
    assert heldout.shingles.places.tolist() == [2, 3, 4, 0, 1]
    assert heldout.shingles.sizes.tolist() == [0, 0, 1, 3, 6]


def test_bytes_do_not_depend_on_how_documents_are_divided(tmp_path):
    texts = TRAIN_TEXTS | HELDOUT_TEXTS
    rng, seen = np.random.default_rng(1), set()
    for number in range(6):
        order = rng.permutation(len(texts))
        cuts = sorted(rng.integers(0, len(texts), 2))
        parts = [{i: texts[i] for i in np.array(list(texts))[p]} for p in np.split(order, cuts)]
        folder = tmp_path / str(number)
        output, _ = index_of(folder, *parts)
        digest = hashlib.sha256((folder / INDEX_FILE).read_bytes()).hexdigest()
        seen.add((digest, str(output.rows.to_pydict())))
    assert len(seen) == 1


@pytest.mark.parametrize("enabled", [True, False])
def test_without_heldout_documents_no_text_is_read(tmp_path, enabled):
    texts = TRAIN_TEXTS if enabled else HELDOUT_TEXTS
    parts = {
        "splits": [MemoryPart("part", sides_of(texts))],
        "documents": [Unread("part", documents_of(texts))],
    }
    config = HeldoutIndexConfig(enabled=enabled)
    output = index_heldout(Inputs("all", parts, scratch=tmp_path), config)
    assert len(output.rows) == 0
    assert output.files == {}
    assert load_heldout(written(output), tmp_path) is None


def test_a_document_that_is_not_there_is_missed(tmp_path):
    parts = {
        "splits": [MemoryPart("part", sides_of(HELDOUT_TEXTS))],
        "documents": [MemoryPart("part", documents_of(TRAIN_TEXTS))],
    }
    with pytest.raises(LookupError, match="part has 0 of 5 documents"):
        index_heldout(Inputs("all", parts, scratch=tmp_path), HeldoutIndexConfig())


@pytest.mark.parametrize("ngram_words", [0, 101])
def test_impossible_values_are_refused(ngram_words):
    with pytest.raises(RecipeError, match="ngram_words"):
        HeldoutIndexConfig(ngram_words=ngram_words)
