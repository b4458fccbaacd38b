import unicodedata

import pytest

from pipelines.signals.family import GOPHER_STOP_WORDS, SignalsConfig
from pipelines.signals.words import FAMILY


def fold(char):
    for candidate in (char.casefold(), char.lower()):
        if len(candidate) == 1:
            return candidate
    return char


def trimmed_and_folded(word):
    marks = "".join(char for char in word if unicodedata.category(char)[0] in "PS")
    return "".join(map(fold, word.strip(marks) if marks else word))


def oracle(text, stop_words=GOPHER_STOP_WORDS):
    words = text.split()

    def per_word(number):
        return number / len(words) if words else 0.0

    found = {trimmed_and_folded(word) for word in words}
    return {
        "num_words": len(words),
        "max_word_chars": max(map(len, words), default=0),
        "mean_word_chars": per_word(sum(map(len, words))),
        "alphabetic_words_ratio": per_word(sum(any(map(str.isalpha, word)) for word in words)),
        "hash_words_ratio": per_word(text.count("#")),
        "ellipsis_words_ratio": per_word(text.count("...") + text.count("…")),
        "num_stop_words": sum("".join(map(fold, word)) in found for word in stop_words),
    }


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert min(touched.values()) > 0, touched


def test_stop_words_of_a_recipe_are_looked_for(agree):
    stop_words = ("a", "SO", "Aa", "İ", "中文", "be-b", *(f"never{n}" for n in range(57)))
    touched = agree(FAMILY, lambda text: oracle(text, stop_words), SignalsConfig(stop_words))
    assert touched["num_stop_words"] > 0


def test_example(measure_one):
    values = measure_one(FAMILY, "The cat -- and (The) dog... #1 …\n\nOF-with «that»,")
    assert values["num_words"] == 10
    assert values["max_word_chars"] == 7
    assert values["alphabetic_words_ratio"] == 7 / 10
    assert values["hash_words_ratio"] == 1 / 10
    assert values["ellipsis_words_ratio"] == 2 / 10
    assert values["num_stop_words"] == 3  # the, and, that


def test_last_of_63_stop_words_counts_once(measure_one):
    config = SignalsConfig(tuple(f"w{number}" for number in range(63)))
    assert measure_one(FAMILY, "w62 w62, w0", config)["num_stop_words"] == 2
    assert measure_one(FAMILY, "w62 w62, w0", SignalsConfig(()))["num_stop_words"] == 0


@pytest.mark.parametrize(
    "text", ["", "word " * 300_000, "x" * 1_000_000, "\n" * 300_000, "." * 300_001, "the\u2028" * 9]
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
