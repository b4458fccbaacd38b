import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given
from spacy_strings import CHOSEN, GOLDEN_PATH, ask_ours, digest, edge_strings

from pipelines.kernels import spacy_table as table
from pipelines.kernels.decoded import Codes, text_batch
from pipelines.kernels.spacy_words import spacy_words

GOLDEN = json.loads(GOLDEN_PATH.read_text(encoding="utf-8"))


def words_of(array):
    """Return the words of each text of an array."""
    codes = text_batch(array).codes
    words = spacy_words(codes)
    assert (words.starts < words.ends).all()
    spans = list(zip(words.starts, words.ends, strict=True))
    found = ["".join(map(chr, codes.codes[start:end])) for start, end in spans]
    return [found[a:b] for a, b in itertools.pairwise(words.offsets)]


def words_in(text):
    return words_of(pa.array([text]))[0]


def test_golden_words_are_those_of_spacy():
    cases = GOLDEN["cases"]
    texts = [text for text, _, _ in cases]
    assert len(texts) > 2000
    assert texts[: len(CHOSEN)] == CHOSEN
    for (text, words, _), (found, _) in zip(cases, ask_ours(texts), strict=True):
        assert found == words, text


def test_every_class_of_characters_is_that_of_spacy():
    texts = edge_strings()
    assert len(texts) > 50_000
    assert digest(ask_ours(texts)) == GOLDEN["edges_digest"]  # tests/peers shows which differ


@example(ORDINARY_TEXTS)
@given(HOSTILE_TEXTS)
def test_words_hold_all_but_white_space_whatever_stands_beside(texts):
    alone = [words_in(text) for text in texts]
    for text, words in zip(texts, alone, strict=True):
        assert "".join(words) == "".join(text.split())
    for array in as_arrays(texts):
        assert words_of(array) == alone


def test_example():
    assert words_in("Dr. O'Neil can't: see (www.a.bc), it's 5km... :-))") == [
        *["Dr.", "O'Neil", "ca", "n't", ":", "see", "(", "www.a.bc", ")", ",", "it", "'s"],
        *["5", "km", "...", ":-))"],
    ]


def test_an_exception_across_a_space_hides_the_one_beside_it():
    assert words_in("(:") == ["(:"]
    assert words_in(") (:") == [")", "(:"]
    assert words_in("= (;") == ["=", "(;"]
    assert words_in("= (;can") == ["=", "(", ";", "can"]


def test_what_spacy_refuses_is_divided_by_its_rules():
    assert words_in("IS_ALPHA, IS_ALPHA.") == ["IS_ALPHA", ",", "IS_ALPHA", "."]
    raws = [b"\xff(", b"a\xe2\x80.b", b"\x80\x80"]
    buffers = [None, pa.py_buffer(np.cumsum([0, *map(len, raws)]).astype(np.int32).tobytes())]
    array = pa.Array.from_buffers(pa.string(), 3, [*buffers, pa.py_buffer(b"".join(raws))])
    assert words_of(array) == [["\udcff", "("], ["a\udce2\udc80.b"], ["\udc80\udc80"]]


def test_no_text_and_no_word():
    assert words_of(pa.array([], pa.string())) == []
    assert words_of(pa.array(["", " \n\u3000", "a"])) == [[], [], ["a"]]


HOSTILE = {  # piece: repeats and words, as spaCy goes on from 100 repeats
    "(": (1_000_000, 1_000_000),
    "'s": (400_000, 400_000),
    ".": (1_000_000, 1),
    "…": (300_000, 200_000),
    ":)": (400_000, 799_997),
    ":) ": (400_000, 400_000),
    ") :": (400_000, 400_001),
    "a@": (400_000, 1),
    "a.": (400_000, 2),
    "a.bc@": (300_000, 1),
    "1.2.3.": (300_000, 2),
    "a-": (400_000, 799_999),
    "5km": (400_000, 2),
    "x": (1_000_000, 1),
    "中": (1_000_000, 1),
    "\u0301": (1_000_000, 1),
    "👍": (400_000, 400_000),
    "word ": (400_000, 400_000),
    "\n": (1_000_000, 0),
}


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_take_linear_time(piece):
    repeats, num_words = HOSTILE[piece]
    codes = np.tile(np.array([*map(ord, piece)], dtype=np.int32), repeats)
    words = spacy_words(Codes(np.array([0, codes.size]), codes))
    assert words.starts.size == num_words
    is_space = table.load_spacy_table().classes[codes] & table.SPACE != 0
    assert (words.ends - words.starts).sum() == codes.size - is_space.sum()


PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
from spacy_strings import ask_ours, edge_strings, hard_strings

for texts in (hard_strings(20_000, 3), edge_strings()):
    for text in ["", *texts[:2000]]:  # each ends where its buffer ends
        ask_ours([text])
    print(len(ask_ours(texts)))
"""


@pytest.mark.slow
def test_nothing_is_read_or_written_outside_the_arrays(pytestconfig, tmp_path):
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pytestconfig.rootpath), str(GOLDEN_PATH.parents[1])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(int(count) >= 20_000 for count in done.stdout.split())
