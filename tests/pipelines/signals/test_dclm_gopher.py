import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.uniseg_words import uniseg_words
from pipelines.signals.dclm_gopher import FAMILY

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
REPEATING_TEXTS = st.lists(
    st.sampled_from(
        ["a ", "bb ", "The ", "with\x00", "1 ", "-\n", "…\n", ". . .", "● a\n", "\n\n"]
    ),
    max_size=60,
).map("".join)


def chars_of(words):
    return sum(map(len, words))


def repeats_of(segments):
    copies = Counter(segments)
    return [segment for segment in segments if copies[segment] > 1]


def words_of_uniseg(text):  # tested by itself
    batch = text_batch(pa.array([text]))
    words, codes = batch.words(uniseg_words), batch.codes.codes
    spans = zip(words.starts, words.ends, strict=True)
    return ["".join(map(chr, codes[start:end])) for start, end in spans]


def oracle(text):
    words = text.split()
    stop_words = [word.lower() for word in words if word.lower() in STOP_WORDS]
    symbols = sum(text.count(symbol) for symbol in ("#", "...", ". . .", "…"))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]

    def per(number, whole):
        return number / whole if whole else 0.0

    values = {
        "num_dclm_words": sum(
            word[0].isalnum() for word in re.split("[ \n\r\t\v\f\0]", text) if word
        ),
        "dclm_symbols_ratio": per(symbols, len(words)),
        "dclm_nonalphabetic_words_ratio": per(
            sum(not any(map(str.isalpha, word)) for word in words), len(words)
        ),
        "num_dclm_stop_words": len(stop_words),
        "num_dclm_different_stop_words": len(set(stop_words)),
        "num_dclm_lines": len(lines),
        "num_dclm_paragraphs": len(paragraphs),
        "num_dclm_bullet_lines": sum(line.startswith(("●", "•", "*", "-")) for line in lines),
        "num_dclm_ellipsis_lines": sum(line.endswith(("...", ". . .", "…")) for line in lines),
    }
    for name, segments in (("lines", lines), ("paragraphs", paragraphs)):
        again = repeats_of(segments)
        values[f"dclm_duplicate_{name}_ratio"] = per(len(again), len(segments))
        values[f"dclm_duplicate_{name}_chars_ratio"] = per(chars_of(again), chars_of(segments))
    return values | repetition_of(words_of_uniseg(text))


def repetition_of(words):
    values = {}
    for size in range(2, 11):
        ngrams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
        copies = Counter(ngrams)
        most = max(copies.values(), default=1)
        if most == 1:
            chars = 0
        elif size < 5:
            chars = most * max(chars_of(gram) for gram in copies if copies[gram] == most)
        else:
            starts = [at for at, ngram in enumerate(ngrams) if copies[ngram] > 1]
            covered = {place for at in starts for place in range(at, at + size)}
            chars = chars_of(words[place] for place in covered)
        name = "top_{}_gram" if size < 5 else "repeated_{}_grams"
        values[f"dclm_{name.format(size)}_chars_ratio"] = chars / max(chars_of(words), 1)
    return values


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert sum(number > 0 for number in touched.values()) >= 12, touched


def test_values_of_text_that_repeats_are_those_of_python(measure_one):
    touched = Counter()

    @example("The bb bb a\n\n" * 7)
    @given(REPEATING_TEXTS)
    def check(text):
        values = measure_one(FAMILY, text)
        assert values == oracle(text)
        touched.update(name for name, value in values.items() if value)

    check()
    assert all(touched[field.name] for field in FAMILY.fields), touched


def test_example(measure_one):
    text = "* The #cat. . .\n-dog…\n  -no\n\nOF 1 the the the\n -dog…\n\n\n-dog… "
    values = measure_one(FAMILY, text)
    # What fastText splits off: The OF 1 the the the, and no #cat. or -dog…
    assert values["num_dclm_words"] == 6
    assert values["dclm_symbols_ratio"] == 5 / 14  # #, . . ., and … three times
    assert values["dclm_nonalphabetic_words_ratio"] == 4 / 14  # * . . 1
    assert values["num_dclm_stop_words"] == 5
    assert values["num_dclm_different_stop_words"] == 2
    assert values["num_dclm_lines"] == 6
    assert values["num_dclm_paragraphs"] == 3
    assert values["num_dclm_bullet_lines"] == 5
    assert values["num_dclm_ellipsis_lines"] == 4
    assert values["dclm_duplicate_lines_ratio"] == 3 / 6
    assert values["dclm_duplicate_lines_chars_ratio"] == 15 / (15 + 5 + 3 + 16 + 5 + 5)
    assert values["dclm_duplicate_paragraphs_ratio"] == 0.0
    # The cat dog no OF 1 the the the dog dog: 29 characters
    assert values["dclm_top_2_gram_chars_ratio"] == 2 * 6 / 29


def test_of_equally_frequent_ngrams_the_longest_counts(measure_one):
    for text in ("a b a b ccc d ccc d", "ccc d ccc d a b a b"):
        assert measure_one(FAMILY, text)["dclm_top_2_gram_chars_ratio"] == 8 / 12


def test_a_word_in_two_repeated_ngrams_counts_once(measure_one):
    values = measure_one(FAMILY, "a b c d e f a b c d e f, yes")
    assert values["dclm_repeated_5_grams_chars_ratio"] == 12 / 15


def test_overlapping_symbols_are_not_counted_twice(measure_one):
    assert measure_one(FAMILY, "a" + "." * 8)["dclm_symbols_ratio"] == 2.0
    assert measure_one(FAMILY, ". . . . . . .")["dclm_symbols_ratio"] == 2 / 7
    assert measure_one(FAMILY, ".. . ... .")["dclm_symbols_ratio"] == 2 / 4  # one of each


def test_only_ascii_letters_become_those_of_stop_words_in_lower_case():
    letters = set("".join(STOP_WORDS))
    found = [code for code in range(0x110000) if set(chr(code).lower()) <= letters]
    assert found == [ord(char) for char in sorted({*letters, *"".join(letters).upper()})]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n" * 20_000, "word " * 20_000, "a b " * 10_000, "x" * 100_000, ". . " * 20_000],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1_000_000,
        "\n" * 3_000_000,
        "中" * 1_000_000,
        "don't " * 500_000,
        " ".join(map(str, range(300_000))),
        " ".join(map(str, np.random.default_rng(0).integers(0, 99, 500_000))),
    ],
)
def test_large_texts_are_measured(measure_one, text):
    assert measure_one(FAMILY, text)["num_dclm_lines"] == int(text[0] != "\n")
