import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from pipelines.kernels import unicode_table as table
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.english_words import (
    AGENCY_WORDS,
    COMMON_WORDS,
    DATE_WORDS,
    NEGATION_WORDS,
    NUMBER_WORDS,
    PAGE_WORDS,
)
from pipelines.kernels.marked_words import (
    AGENCY,
    BREAK,
    CAPITAL,
    COMMON,
    DATE,
    LETTERS,
    LINE,
    NEGATION,
    NUMBER,
    PAGE,
    SIGN,
    STOP,
    marked_words,
)
from pipelines.kernels.normal_words import normal_words

PAUSES = set(".!?:;…–—•。！？")
STOPS = set(".!?。！？")
LISTED = ((NUMBER, NUMBER_WORDS), (NEGATION, NEGATION_WORDS), (PAGE, PAGE_WORDS))
LISTED = (*LISTED, (COMMON, COMMON_WORDS), (DATE, DATE_WORDS), (AGENCY, AGENCY_WORDS))


def pieces_of(text):
    """Return the words of a text without invisible characters, each behind the gap before it."""
    classes = table.load_unicode_table().classes
    pieces, word, gap = [], "", ""
    for char in text + "\n":
        bits = classes[ord(char)]
        if bits & (table.SPACE | table.PUNCTUATION):
            if word:
                pieces.append((gap, word))
                word, gap = "", ""
            gap += char
        elif not bits & table.INVISIBLE:
            word += char
    return pieces


def class_of(gap, word, is_first, behind_sign):
    unicode = table.load_unicode_table()
    bits = [int(unicode.classes[ord(char)]) for char in word]
    form = "".join(chr(unicode.folded[ord(char)]) for char in word)
    marks = NUMBER if any(b & table.DIGIT for b in bits) else 0
    marks |= LETTERS if any(b & table.ALPHABETIC for b in bits) else 0
    marks |= CAPITAL if bits[0] & table.UPPER else 0
    marks |= SIGN if marks & (NUMBER | LETTERS) == 0 else 0
    lines = any(unicode.classes[ord(char)] & table.LINE_BREAK for char in gap)
    dash = "-" in gap and any(char.isspace() for char in gap)
    marks |= LINE if is_first or lines else 0
    marks |= STOP if STOPS & set(gap) else 0
    if is_first or behind_sign or lines or dash or PAUSES & set(gap):
        marks |= BREAK
    if form != "t" or gap.endswith(("'", "’")):
        for mark, words in LISTED:
            marks |= mark if form in words.split() else 0
    return marks


def oracle(text):
    classes = []
    for number, (gap, word) in enumerate(pieces_of(text)):
        behind_sign = bool(classes) and bool(classes[-1] & SIGN)
        classes.append(class_of(gap, word, number == 0, behind_sign))
    return classes


def classes_of(text):
    return marked_words(text_batch(pa.array([text])).codes).classes.tolist()


def test_words_and_classes():
    num_words = 0

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal num_words
        expected = [mark for text in texts for mark in oracle(text)]
        for array in as_arrays(texts):
            codes = text_batch(array).codes
            marked, (offsets, hashes) = marked_words(codes), normal_words(codes)
            assert marked.offsets.tolist() == offsets.tolist()
            assert marked.hashes.tolist() == hashes.tolist()
            assert marked.classes.tolist() == expected
            assert marked.spellings.size == hashes.size
        num_words += len(expected)

    check()
    assert num_words > 100


def test_example():
    assert classes_of("The 5th man isn't here - Bob's 2 cats • NOT t") == [
        BREAK | LINE | CAPITAL | LETTERS | COMMON,
        NUMBER | LETTERS,
        LETTERS | COMMON,
        LETTERS | NEGATION,
        LETTERS | NEGATION,
        LETTERS | COMMON,
        BREAK | CAPITAL | LETTERS,
        LETTERS,
        NUMBER,
        LETTERS,
        BREAK | CAPITAL | LETTERS | NEGATION | COMMON,
        LETTERS,
    ]
    assert classes_of("ten | Share\n$5 ©") == [
        BREAK | LINE | NUMBER | LETTERS | COMMON,
        SIGN,
        BREAK | CAPITAL | LETTERS | PAGE,
        BREAK | LINE | NUMBER,
        SIGN,
    ]
    assert classes_of("Oslo (AP) - May rain. Yes")[1:] == [
        LETTERS | CAPITAL | AGENCY,
        BREAK | CAPITAL | LETTERS | COMMON | DATE,
        LETTERS | COMMON,
        BREAK | STOP | CAPITAL | LETTERS | COMMON,
    ]


def test_lists_name_a_word_once():
    for words in (words for _, words in LISTED):
        assert len(set(words.split())) == len(words.split()) > 15
        assert words == words.casefold()


@pytest.mark.parametrize(
    "text", ["", "x" * 1_000_000, "a " * 300_000, "\n" * 300_000, "́" * 300_000]
)
def test_hostile_texts(text):
    marked = marked_words(text_batch(pa.array([text, "not"])).codes)
    assert marked.classes.dtype == np.uint16
    assert marked.classes[-1] == BREAK | LINE | LETTERS | NEGATION | COMMON
    assert len(set(marked.classes[:-1].tolist())) <= 2
