import re
from collections import Counter

import pytest
from divided import words_of
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.spacy_words import spacy_words
from pipelines.signals.datatrove_repetition import FAMILY


def copies_of(pieces):
    return [piece for at, piece in enumerate(pieces) if piece in pieces[:at]]


def top_chars(words, n):
    grams = [" ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
    if not grams:
        return 0
    most = max(grams.count(gram) for gram in grams)
    return most * len(next(gram for gram in grams if grams.count(gram) == most))


def copied_chars(words, n):
    met, num_chars = set(), 0
    at = 0
    while at + n <= len(words):
        gram = "".join(words[at : at + n])
        if gram in met:
            num_chars += len(gram)
            at += n
        else:
            met.add(gram)
            at += 1
    return num_chars


def oracle(text):
    words = words_of(text, spacy_words)
    paragraphs = re.split("\n\n+", text.strip())
    lines = re.split("\n+", text)

    def per_char(number):
        return number / len(text) if text else 0.0

    return {
        "datatrove_duplicate_paragraphs_ratio": len(copies_of(paragraphs)) / len(paragraphs),
        "datatrove_duplicate_paragraph_chars_ratio": per_char(len("".join(copies_of(paragraphs)))),
        "datatrove_duplicate_lines_ratio": len(copies_of(lines)) / len(lines),
        "datatrove_duplicate_line_chars_ratio": per_char(len("".join(copies_of(lines)))),
        **{f"datatrove_top_{n}gram_chars_ratio": per_char(top_chars(words, n)) for n in (2, 3, 4)},
        **{
            f"datatrove_duplicated_{n}gram_chars_ratio": per_char(copied_chars(words, n))
            for n in range(5, 11)
        },
    }


FEW_WORDS = st.lists(
    st.sampled_from(["a", "ab", "b", "ba", "a\n", "bb", "\n\n", "\n \n", "中"]), max_size=60
).map(" ".join)


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert touched["datatrove_top_2gram_chars_ratio"] > 0


def test_values_of_texts_with_few_words_are_those_of_python(measure_one):
    touched = Counter()

    @example("ab ba a b bb", 4, True)
    @given(FEW_WORDS, st.integers(1, 4), st.booleans())
    def check(words, times, ends_in_newlines):
        text = f"{words}\n\n" * times
        text = text if ends_in_newlines else text.strip()
        values = measure_one(FAMILY, text)
        assert values == oracle(text)
        touched.update(name for name, value in values.items() if value)

    check()
    assert set(touched) == {field.name for field in FAMILY.fields}


def test_example(measure_one):
    text = " one two\n\none two\n\n\none two\n"
    values = measure_one(FAMILY, text)
    assert values["datatrove_duplicate_paragraphs_ratio"] == 2 / 3  # stripped: "one two", thrice
    assert values["datatrove_duplicate_paragraph_chars_ratio"] == 14 / 28
    assert values["datatrove_duplicate_lines_ratio"] == 1 / 4  # " one two", "one two" twice, ""
    assert values["datatrove_duplicate_line_chars_ratio"] == 7 / 28
    assert values["datatrove_top_2gram_chars_ratio"] == 3 * 7 / 28
    assert values["datatrove_top_3gram_chars_ratio"] == 2 * 11 / 28  # overlaps itself
    assert values["datatrove_top_4gram_chars_ratio"] == 2 * 15 / 28


def test_of_equally_frequent_grams_the_first_counts(measure_one):
    assert measure_one(FAMILY, "a b cccc dddd")["datatrove_top_2gram_chars_ratio"] == 3 / 13
    assert measure_one(FAMILY, "cccc dddd a b")["datatrove_top_2gram_chars_ratio"] == 9 / 13
    values = measure_one(FAMILY, "cc dd a b cc dd b a b")  # "cc dd" is the first to stand twice
    assert values["datatrove_top_2gram_chars_ratio"] == 2 * 5 / 21


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("a b c d e a b c d e", 5),
        ("ab c d e f a bc d e f", 6),  # the same text, divided otherwise
        ("a a a a a a a a a a", 5),  # one copy, and what begins in it is passed over
        ("a b c d e f a b c d f", 0),
    ],
)
def test_copies_of_five_words(measure_one, text, copied):
    assert measure_one(FAMILY, text)["datatrove_duplicated_5gram_chars_ratio"] == copied / len(text)


def test_what_is_passed_over_is_not_held_for_met(measure_one):
    met = "a b c d e"
    over = "b c d e x"  # begins in the copy of ``met``
    words = f"{met} {met} x {over} {over}".split()
    text = " ".join(words)
    expected = copied_chars(words, 5) / len(text)
    assert measure_one(FAMILY, text)["datatrove_duplicated_5gram_chars_ratio"] == expected
    assert expected == 10 / len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 300_000,
        "\x1c\n\n\u2028",
        "a\n" * 40,
        "\U0001f44d",
        "\u202eمرحبا مرحبا\n\nمرحبا مرحبا",
        "e" + "\u0301" * 3000,
    ],
)
def test_hostile_texts(measure_one, text):
    values = measure_one(FAMILY, text)
    assert values == oracle(text)


def test_a_word_very_often(measure_one):
    values = measure_one(FAMILY, "word " * 200_000)
    assert values["datatrove_top_2gram_chars_ratio"] == 9 * 199_999 / 1_000_000
    assert values["datatrove_duplicated_10gram_chars_ratio"] == 40 * 19_999 / 1_000_000
