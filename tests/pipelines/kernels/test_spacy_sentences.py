import json

import pyarrow as pa
import pytest
from spacy_strings import GOLDEN_PATH

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.spacy_sentences import count_spacy_sentences
from pipelines.kernels.spacy_words import spacy_words

GOLDEN = json.loads(GOLDEN_PATH.read_text(encoding="utf-8"))


def count(texts):
    codes = text_batch(pa.array(texts, pa.string())).codes
    return count_spacy_sentences(codes, spacy_words(codes)).tolist()


def test_golden_sentences_are_those_of_spacy():
    cases = GOLDEN["cases"]
    assert sum(sentences > 1 for _, _, sentences in cases) > 100
    assert count([text for text, _, _ in cases]) == [sentences for _, _, sentences in cases]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        (" \n", 0),
        ("no mark", 1),
        ("One. Two! Three?", 3),
        ("One. (Two.) Three", 3),  # the bracket is punctuation, so it ends the first
        ("One.) Two", 2),
        ("One. )", 1),
        ("One.\n)", 2),  # the new line is a word that is no punctuation
        ("One.  )", 2),
        ("One.\n\n", 1),
        ("\n\nOne.", 1),
        ("Dr. No... yes", 1),  # an exception and an ellipsis are no marks
        ("是。 否？", 2),  # a mark inside a word ends nothing
        ("是。否？", 1),
        (". . .", 1),
        (".\n.\n.", 3),
    ],
)
def test_examples(text, sentences):
    assert count([text]) == [sentences]


def test_texts_do_not_touch_each_other():
    assert count(["One.", ")", "two", "", "Three. "]) == [1, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("! " * 300_000, 1),
        ("a." * 300_000, 1),
        ("A !\n" * 200_000, 200_000),
        ("。 a" * 300_000, 300_001),
    ],
)
def test_hostile_texts(text, sentences):
    assert count([text]) == [sentences]
