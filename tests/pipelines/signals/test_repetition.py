from collections import Counter
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.signals.repetition import FAMILY


def grams_of(words, n):
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


def top_chars(words, n):
    num_copies, free = Counter(), Counter()
    for at, gram in enumerate(grams_of(words, n)):
        if at >= free[gram]:
            num_copies[gram] += 1
            free[gram] = at + n
    if max(num_copies.values(), default=0) < 2:
        return 0
    return max((num, sum(map(len, gram))) for gram, num in num_copies.items())


def copied_chars(words, n):
    grams = grams_of(words, n)
    copies = [at for at, gram in enumerate(grams) if gram in grams[:at]]
    copied = {word for at in copies for word in range(at, at + n)}
    return sum(len(words[word]) for word in copied)


def share_of_copies(pieces):
    """Return the copies' share of the pieces, and of their characters."""
    copies = [piece for at, piece in enumerate(pieces) if piece in pieces[:at]]
    num_chars = sum(map(len, pieces))
    by_chars = sum(map(len, copies)) / num_chars if num_chars else 0.0
    return len(copies) / len(pieces) if pieces else 0.0, by_chars


def paragraphs_of(text):
    blocks = groupby(text.splitlines(keepends=True), key=lambda line: bool(line.strip()))
    return ["".join(lines).strip() for has_text, lines in blocks if has_text]


def oracle(text):
    words = text.split()
    num_chars = sum(map(len, words))
    paragraphs, paragraph_chars = share_of_copies(paragraphs_of(text))
    lines = [line.strip() for line in text.splitlines() if line.strip()]

    def per_char(number):
        return number / num_chars if words else 0.0

    def top(n):
        most = top_chars(words, n)
        return most[0] * most[1] if most else 0

    return {
        "duplicate_paragraphs_ratio": paragraphs,
        "duplicate_paragraph_chars_ratio": paragraph_chars,
        "duplicate_line_chars_ratio": share_of_copies(lines)[1],
        **{f"top_{n}gram_chars_ratio": per_char(top(n)) for n in (2, 3, 4)},
        **{
            f"duplicated_{n}gram_chars_ratio": per_char(copied_chars(words, n))
            for n in range(5, 11)
        },
    }


FEW_WORDS = st.lists(st.sampled_from(["a", "bb", "a\n", "ccc", "\n\n", "d", "é"]), max_size=80).map(
    " ".join
)


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert touched["duplicate_line_chars_ratio"] > 0


def test_values_of_texts_with_few_words_are_those_of_python(measure_one):
    touched = Counter()

    @example("a bb ccc d\n\na bb ccc d é", 3)
    @given(FEW_WORDS, st.integers(1, 3))
    def check(words, times):
        text = f"{words}\n \n" * times
        values = measure_one(FAMILY, text)
        assert values == oracle(text)
        assert max(values.values()) <= 1
        shares = [values[f"duplicated_{n}gram_chars_ratio"] for n in range(5, 11)]
        assert shares == sorted(shares, reverse=True)
        touched.update(name for name, value in values.items() if value)

    check()
    assert set(touched) == {field.name for field in FAMILY.fields}


def test_example(measure_one):
    text = "on and on and on\nso it goes\n\n so it goes \n\nso it goes"
    values = measure_one(FAMILY, text)  # 36 characters of words: 12 and three times 8
    assert values["duplicate_paragraphs_ratio"] == 1 / 3
    assert values["duplicate_paragraph_chars_ratio"] == 10 / (27 + 10 + 10)
    assert values["duplicate_line_chars_ratio"] == 20 / (16 + 10 + 10 + 10)
    assert values["top_2gram_chars_ratio"] == 3 * 6 / 36  # "it goes"; "on and" stands twice
    assert values["top_3gram_chars_ratio"] == 3 * 8 / 36  # "so it goes"
    assert values["top_4gram_chars_ratio"] == 0  # "so it goes so" overlaps itself
    assert values["duplicated_5gram_chars_ratio"] == 2 * 8 / 36  # the last two "so it goes"
    assert values["duplicated_6gram_chars_ratio"] == 2 * 8 / 36
    assert values["duplicated_7gram_chars_ratio"] == 0


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("a b c d e f a b c d e f", 1 / 2),
        ("a a a a a a a a a a", 9 / 10),
        ("a b c d e a b c d f", 0),
        ("ab c d e f a bc d e f", 0),  # the words differ, though not what they give joined
    ],
)
def test_copies_of_five_words(measure_one, text, copied):
    assert measure_one(FAMILY, text)["duplicated_5gram_chars_ratio"] == copied


def test_a_text_that_overlaps_itself_never_counts_twice(measure_one):
    values = measure_one(FAMILY, "a " * 11)
    assert values["top_2gram_chars_ratio"] == 10 / 11
    assert values["top_4gram_chars_ratio"] == 8 / 11


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("", (0, 0)),
        ("word " * 300_000, (1, 299_999 / 300_000)),
        ("\n" * 300_000, (0, 0)),
        ("中文" * 300_000, (0, 0)),
        ("\u0301" * 300_000, (0, 0)),
        ("\U0001f44d " * 200_000, (1, 199_999 / 200_000)),
        ("a\r\n\r\n" * 100_000, (1, 99_999 / 100_000)),
    ],
)
def test_hostile_texts(measure_one, text, shares):
    values = measure_one(FAMILY, text)
    found = values["top_2gram_chars_ratio"], values["duplicated_10gram_chars_ratio"]
    assert found == shares
    assert values["duplicate_paragraphs_ratio"] == (99_999 / 100_000 if "\r" in text else 0)


def test_the_layout_of_the_hash_tables_decides_nothing(monkeypatch, measure_one):
    text = " ".join(str(number * number % 97) for number in range(2000))
    values = []
    for seed in (0, 12345, 2**64 - 1):
        monkeypatch.setattr("secrets.randbits", lambda bits, seed=seed: seed)
        values.append(measure_one(FAMILY, text))
    assert values[0] == values[1] == values[2] == oracle(text)
    assert values[0]["duplicated_10gram_chars_ratio"] > 0
