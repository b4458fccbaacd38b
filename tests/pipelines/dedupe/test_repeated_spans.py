import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from corpus_steps import aligned, documents_of, map_parts, run_whole, shuffle_parts
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.documents import hash_text
from data_contracts.errors import RecipeError
from pipelines.dedupe import drop_repeats, find_repeats, find_shared_spans, sample_spans
from pipelines.dedupe.drop_repeats import DropConfig
from pipelines.dedupe.span_config import SpansConfig
from pipelines.dedupe.takings import TAKINGS
from store.step import Inputs

SIZE = 16
BLOCKS = ["abcdefghijklmnopé", "abcdefghijklmnopè", "0123456789abcdef", "ab", "中文字", "\n", "👍"]
TEXTS = st.lists(
    st.tuples(st.sampled_from(BLOCKS), st.sampled_from([1, 1, 1, 9])).map(
        lambda drawn: drawn[0] * drawn[1]
    ),
    max_size=6,
).map("".join)


def rows_of(texts):
    return [{"doc_id": hash_text(str(at)), "text": text} for at, text in enumerate(texts)]


def run_steps(parts, folder, size=SIZE, num_buckets=3):
    config = SpansConfig(size, num_buckets)
    prints = map_parts(sample_spans.STEP, config, parts)
    shared = shuffle_parts(find_shared_spans.STEP, config, "fingerprints", prints)
    takings = run_whole(find_repeats.STEP, config, folder, documents=parts, shared=shared)
    takings = aligned(takings, parts, TAKINGS)
    edited = map_parts(drop_repeats.STEP, DropConfig(("spans",)), parts, spans=takings)
    return pa.concat_tables(takings.values()), pa.concat_tables(edited.values())


def oracle(rows, size):
    """Return the bytes to take of each document, by comparing all windows of all texts."""
    firsts, taken = {}, {row["doc_id"]: set() for row in rows}
    for row in sorted(rows, key=lambda row: row["doc_id"]):
        data, doc_id = row["text"].encode(), row["doc_id"]
        for start in range(len(data) - size + 1):
            first_id, first = firsts.setdefault(data[start : start + size], (doc_id, start))
            if first_id != doc_id or first + size <= start:
                taken[doc_id] |= set(range(start, start + size))
    return taken


def without(text, taken):
    """Return a text without the characters of which all bytes are taken."""
    kept, at = [], 0
    for char in text:
        size = len(char.encode())
        kept += [] if taken.issuperset(range(at, at + size)) else [char]
        at += size
    return "".join(kept)


def stretches(text, left):
    """Return how many stretches of a text's characters are taken, given which bytes are."""
    num, at, inside = 0, 0, False
    for char in text:
        size = len(char.encode())
        is_taken = left.issuperset(range(at, at + size))
        num += is_taken and not inside
        inside, at = is_taken, at + size
    return num


def test_what_is_taken_is_what_python_takes_whatever_the_partitions(tmp_path):
    touched = Counter()

    @settings(max_examples=40)
    @given(
        st.lists(TEXTS, min_size=2, max_size=5),
        st.lists(st.integers(0, 5), max_size=2),
        st.randoms(use_true_random=False),
        st.integers(SIZE, SIZE + 8),
    )
    def check(texts, cuts, drawn, size):
        rows = rows_of(texts)
        expected = oracle(rows, size)
        shuffled = drawn.sample(rows, len(rows))
        bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
        parts = {
            f"part-{number}": documents_of(shuffled[bounds[number] : bounds[number + 1]])
            for number in range(len(bounds) - 1)
        }
        takings, edited = run_steps(parts, tmp_path, size)
        texts_of = {row["doc_id"]: row["text"].encode() for row in rows}
        found = {doc_id: set() for doc_id in texts_of}
        for row in takings.to_pylist():
            start, end = row["start_byte"], row["end_byte"]
            partner = row["partner_start_byte"]
            copied = texts_of[row["partner_id"]][partner : partner + end - start]
            assert copied == texts_of[row["doc_id"]][start:end]
            assert (row["partner_id"], partner) < (row["doc_id"], start)
            assert found[row["doc_id"]].isdisjoint(range(start, end))
            found[row["doc_id"]] |= set(range(start, end))
        assert found == expected
        for row, old in zip(edited.to_pylist(), shuffled, strict=True):
            taken = expected[row["doc_id"]]
            assert row["text"] == without(old["text"], taken)
            assert row["num_repeated_spans"] == stretches(old["text"], taken)
            num_bytes = len(old["text"].encode()) - len(row["text"].encode())
            assert row["num_repeated_span_bytes"] == num_bytes
            touched["taken"] += bool(taken)
            touched["left"] += 0 < num_bytes < len(old["text"].encode())
            touched["split characters"] += num_bytes < len(taken)

    check()
    assert min(touched[name] for name in ("taken", "left", "split characters")) > 5, touched


def test_example(tmp_path):
    shared = "This sentence stands in three documents."
    texts = [f"One. {shared} Two.", f"{shared} three é.", f"Four-{shared}!"]
    rows = [{"doc_id": doc_id, "text": text} for doc_id, text in zip("bac", texts, strict=True)]
    takings, edited = run_steps({"p": documents_of(rows)}, tmp_path, size=30)
    assert edited["text"].to_pylist() == ["One. Two.", texts[1], "Four-!"]
    assert takings.drop("part_key").to_pylist() == [
        {
            "doc_id": "b",
            "start_byte": 5,
            "end_byte": 46,
            "partner_id": "a",
            "partner_start_byte": 0,
        },
        {
            "doc_id": "c",
            "start_byte": 5,
            "end_byte": 45,
            "partner_id": "a",
            "partner_start_byte": 0,
        },
    ]


def test_every_planted_repeat_is_found_and_nothing_else(tmp_path):
    chance = random.Random(5)
    texts = ["".join(chance.choices("abcdefgh ", k=3000)) for _ in range(30)]
    expected = list(texts)
    for number in range(20):
        start, size = chance.randrange(2000), chance.randrange(200, 600)
        copy = texts[number][start : start + size]
        texts[20 + number % 10] += f"#{number}{copy}{number}#"
        expected[20 + number % 10] += f"#{number}{number}#"
    rows = [{"doc_id": f"{at:02}", "text": text} for at, text in enumerate(texts)]
    takings, edited = run_steps({"p": documents_of(rows)}, tmp_path, size=200)
    assert len(takings) == 20
    assert edited["text"].to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", 0),
        ("a" * 1_000_000, 200),
        ("word " * 200_000, 200),
        ("\n" * 300_000, 200),
        ("文" * 300_000, 201),
        ("\u0301" * 300_000, 200),
        ("0123456789" * 19 + "012345678", 199),
    ],
)
def test_hostile_texts(tmp_path, text, left):
    rows = [{"doc_id": "0", "text": text}, {"doc_id": "1", "text": text}]
    _, edited = run_steps({"p": documents_of(rows)}, tmp_path, size=200)
    sizes = [len(text.encode()) for text in edited["text"].to_pylist()]
    assert sizes == [left, left if len(text.encode()) < 200 else 0]


def test_nothing_comes_of_nothing(tmp_path):
    takings, edited = run_steps({"p": documents_of([])}, tmp_path)
    assert (len(takings), len(edited)) == (0, 0)


def test_documents_that_are_not_there_are_missed(tmp_path):
    config = SpansConfig(SIZE, 1)
    rows = [{"doc_id": doc_id, "text": "the very same text twice"} for doc_id in "ab"]
    prints = map_parts(sample_spans.STEP, config, {"p": documents_of(rows)})
    shared = shuffle_parts(find_shared_spans.STEP, config, "fingerprints", prints)
    documents = {"p": documents_of(rows[:1])}
    with pytest.raises(LookupError, match="1 documents"):
        run_whole(find_repeats.STEP, config, Path(tmp_path), documents=documents, shared=shared)


def test_empty_inputs_give_no_rows(tmp_path):
    inputs = Inputs("all", {"documents": (), "shared": ()}, scratch=tmp_path)
    assert len(find_repeats.find_repeats(inputs, SpansConfig()).rows) == 0
    inputs = Inputs("bucket-0000", {"fingerprints": ()}, bucket=0)
    assert len(find_shared_spans.find_shared_spans(inputs, SpansConfig()).rows) == 0


@pytest.mark.parametrize(
    "config", [{"min_span_bytes": 15}, {"min_span_bytes": 5000}, {"num_buckets": 0}]
)
def test_wrong_settings_are_refused(config):
    with pytest.raises(RecipeError, match="give"):
        SpansConfig(**config)
