import re
from collections import Counter
from statistics import median

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.signals.dolma_gopher import FAMILY

REQUIRED = {"the", "be", "to", "of", "and", "that", "have", "with"}
# Few words, so that long n-grams occur twice; and lines that repeat.
REPEATING_TEXTS = st.lists(
    st.sampled_from(["a ", "bb ", "the ", "#c\t", "-\n", "…\n", "* a\n", "\n"]), max_size=60
).map("".join)


def chars_of(words):
    return sum(map(len, words))


def oracle(text):
    words = text.split()
    lines = text.split("\n") if text else []
    copies = Counter(lines)
    repeated = [line for line in lines if copies[line] > 1]

    def per(number, all_things):
        return number / len(all_things) if all_things else 0.0

    values = {
        "median_dolma_word_chars": float(median(map(len, words))) if words else 0.0,
        "dolma_symbol_words_ratio": per(
            sum(bool(re.search("[#…]", word)) for word in words), words
        ),
        "num_dolma_required_words": sum(word in REQUIRED for word in words),
        "dolma_bullet_lines_ratio": per(sum(line[:1] in ("*", "-") for line in lines), lines),
        "dolma_ellipsis_lines_ratio": per(sum(line[-1:] == "…" for line in lines), lines),
        "dolma_duplicate_lines_ratio": per(len(repeated), lines),
        "dolma_duplicate_lines_chars_ratio": chars_of(repeated) / max(chars_of(words), 1),
    }
    for size in range(2, 11):
        ngrams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
        counts = Counter(ngrams)
        if size < 5:
            name = f"dolma_top_{size}_gram_chars_ratio"
            top = max(ngrams, key=counts.get, default=())  # max() gives the first of equals
            values[name] = chars_of(top) * counts[top] / max(chars_of(words), 1)
        else:
            name = f"dolma_duplicate_{size}_grams_chars_ratio"
            total = sum(map(chars_of, ngrams))
            again = sum(chars_of(ngram) for ngram in ngrams if counts[ngram] > 1)
            values[name] = again / total if total else 0.0
    return values


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert sum(number > 0 for number in touched.values()) >= 10, touched


def test_values_of_text_that_repeats_are_those_of_python(measure_one):
    touched = Counter()

    @example("the bb bb a\n" * 7)
    @given(REPEATING_TEXTS)
    def check(text):
        values = measure_one(FAMILY, text)
        assert values == oracle(text)
        touched.update(name for name, value in values.items() if value)

    check()
    assert all(touched[field.name] for field in FAMILY.fields), touched


def test_example(measure_one):
    text = "* the #cat and and the\n-dog…\n -no\n\nthe end the end\n\n-dog…"
    values = measure_one(FAMILY, text)  # 12 words, 8 lines
    lengths = [1, 3, 4, 3, 3, 3, 5, 3, 3, 3, 3, 3, 5]
    assert values["median_dolma_word_chars"] == sorted(lengths)[6] == 3.0
    assert values["dolma_symbol_words_ratio"] == 3 / 13  # #cat, and -dog… twice
    assert values["num_dolma_required_words"] == 6  # the and and the, the, the
    assert values["dolma_bullet_lines_ratio"] == 3 / 7  # a space before "-no"
    assert values["dolma_ellipsis_lines_ratio"] == 2 / 7
    assert values["dolma_duplicate_lines_ratio"] == 4 / 7  # -dog… and the empty line, both copies
    assert values["dolma_duplicate_lines_chars_ratio"] == 10 / 42
    assert values["dolma_top_2_gram_chars_ratio"] == 2 * 6 / 42  # the end
    assert values["dolma_top_3_gram_chars_ratio"] == 8 / 42  # none repeats: * the #cat
    assert values["dolma_duplicate_5_grams_chars_ratio"] == 0.0


def test_of_equally_frequent_ngrams_the_first_counts(measure_one):
    assert measure_one(FAMILY, "a b a b ccc d ccc d")["dolma_top_2_gram_chars_ratio"] == 4 / 12
    assert measure_one(FAMILY, "ccc d ccc d a b a b")["dolma_top_2_gram_chars_ratio"] == 8 / 12


def test_median_of_an_even_number_of_words_is_between_two(measure_one):
    assert measure_one(FAMILY, "a bbbb ccc dd")["median_dolma_word_chars"] == 2.5


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n" * 20_000, "word " * 20_000, "a b " * 10_000, "x" * 100_000, "…\n-\n" * 9_000],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1_000_000,
        "\n" * 3_000_000,
        "中 " * 1_000_000,
        " ".join(map(str, range(300_000))),
        " ".join(map(str, np.random.default_rng(0).integers(0, 99, 500_000))),
    ],
)
def test_large_texts_are_measured(measure_one, text):
    assert measure_one(FAMILY, text)["dolma_duplicate_lines_ratio"] == float(text[0] == "\n")
