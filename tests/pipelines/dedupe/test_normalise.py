import unicodedata
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from data_contracts.documents import hash_text
from data_contracts.errors import UsageError
from pipelines.dedupe.normalise import RAW_MARKER, hash_normalised, normalise


def fold(char):
    for candidate in (char.casefold(), char.lower()):
        if len(candidate) == 1:
            return candidate
    return char


def oracle(text):
    def written(char):
        category = unicodedata.category(char)
        if char.isspace() or category.startswith("P"):
            return " "
        return "" if category == "Cf" else fold(char)

    return " ".join("".join(map(written, text)).split(" ")).strip(" ")


def collapsed(text):
    return " ".join(part for part in oracle(text).split(" ") if part)


def test_forms_are_those_of_python_and_stay_when_normalised_again():
    seen = Counter()

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        expected = [collapsed(text) for text in texts]
        for array in as_arrays(texts):
            assert normalise(array) == expected
        assert normalise(pa.array(expected, pa.string())) == expected
        seen.update("empty" if form == "" else "form" for form in expected)

    check()
    assert min(seen["empty"], seen["form"]) > 0, seen


def test_hashes_are_equal_exactly_where_forms_are():
    seen = Counter()

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        texts = [*texts, *texts, *(text.upper() for text in texts), *(f"({t})" for t in texts)]
        hashes = hash_normalised(pa.array(texts, pa.string()))
        for array in as_arrays(texts):
            assert hash_normalised(array) == hashes
        classes = defaultdict(set)
        for text, value in zip(texts, hashes, strict=True):
            classes[value].add(collapsed(text) or (text,))
            seen["texts"] += 1
        assert all(len(members) == 1 for members in classes.values())
        assert len(classes) == len({collapsed(text) or (text,) for text in texts})

    check()
    assert seen["texts"] > 0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("E-mail,\n NOW!", "e mail now"),
        ("  e mail now", "e mail now"),
        ("email now", "email now"),
        ("soft\u00adhyphen \ufeff", "softhyphen"),
        ("a<b", "a<b"),
        ("ΣΑΣ σας", "σασ σασ"),
        ("Ⱥ" * 40, "ⱥ" * 40),
        ("?! ...", ""),
        ("", ""),
    ],
)
def test_examples(text, form):
    assert normalise(pa.array([text])) == [form]
    assert hash_normalised(pa.array([text])) == [hash_text(form or RAW_MARKER + text.encode())]


def test_texts_of_marks_alone_are_duplicates_only_if_equal():
    hashes = hash_normalised(pa.array(["...", "?!", "...", "", " ", "", "raw", "!raw:"]))
    assert hashes[0] == hashes[2]
    assert hashes[3] == hashes[5]
    assert hashes[6] == hashes[7]
    assert len(set(hashes)) == 5


def test_chunks_change_nothing():
    texts = ["One!", "", "two,", "...", "THREE"]
    column = pa.chunked_array([texts[:2], [], texts[2:]], type=pa.string())
    assert hash_normalised(column) == hash_normalised(pa.array(texts))
    assert normalise(pa.chunked_array([], pa.string())) == []


def test_bytes_that_are_not_utf8_are_kept_apart():
    raw = b"A\xffb"
    buffers = [None, pa.py_buffer(b"\0\0\0\0\3\0\0\0"), pa.py_buffer(raw)]
    texts = pa.Array.from_buffers(pa.string(), 1, buffers)
    assert hash_normalised(texts) == [hash_text(b"a\xffb")]


@pytest.mark.parametrize("text", ["word " * 300_000, "\n" * 300_000, "Ⱥ" * 300_000, ".a" * 300_000])
def test_hostile_texts(text):
    assert normalise(pa.array([text])) == [collapsed(text)]


def test_nulls_are_refused():
    with pytest.raises(UsageError, match="1 texts are null"):
        hash_normalised(pa.array(["a", None]))
