import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import RecipeError
from pipelines.labels.mask import MASK, Masker, check_words

WORDS = ["torch", "NumPy", "sa", "a_b", "c++", "scikit-learn"]
LETTERS = st.text("abCtorhNumPysS_.+- 9éX", max_size=30)
PIECES = st.lists(st.one_of(st.sampled_from(WORDS), LETTERS), max_size=8).map("".join)


def boundary(text, at):
    """Return whether an identifier ends between two characters, without regular expressions."""
    if at == 0 or at == len(text):
        return True
    left, right = text[at - 1], text[at]
    if not (left.isalpha() and right.isalpha()):
        return True
    if left.isascii() and left.islower() and right.isascii() and right.isupper():
        return True
    after = text[at + 1 : at + 2]
    return (
        left.isascii()
        and left.isupper()
        and right.isascii()
        and right.isupper()
        and after.isascii()
        and after.islower()
    )


def places(text, words):
    """Return the spans at which a word stands, by trying each word at each place."""
    found = []
    for start, word in itertools.product(range(len(text)), words):
        end = start + len(word)
        if text[start:end].lower() != word.lower():
            continue
        if word[0].isalpha() and not boundary(text, start):
            continue
        if word[-1].isalpha() and not boundary(text, end):
            continue
        found.append((start, end))
    return found


@given(PIECES)
def test_no_masked_word_remains_and_masking_twice_is_masking_once(text):
    masker = Masker(WORDS)
    masked, num_masked = masker.mask(text)
    assert places(masked, WORDS) == []
    assert masker.mask(masked) == (masked, 0)
    assert (num_masked > 0) == (places(text, WORDS) != [])


@given(LETTERS)
def test_a_text_without_the_words_is_unchanged(text):
    if not places(text, WORDS):
        assert Masker(WORDS).mask(text) == (text, 0)


@given(PIECES)
def test_what_is_not_masked_stays_in_its_order(text):
    masked, num_masked = Masker(WORDS).mask(text)
    left = iter(text)
    kept = masked.replace("_", "")
    assert all(char in left for char in kept)
    assert len(text) - len(kept) - text.count("_") <= num_masked * max(map(len, WORDS))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("import torch.nn as nn", "import __.nn as nn"),
        (":class:`~torch.Tensor`", ":class:`~__.Tensor`"),
        ("TORCH Torch torch2 2torch _torch torch_x", "__ __ __2 2__ ___ ___x"),
        ("torchvision pytorch storch", "torchvision pytorch storch"),
        ("TorchScript toTorch XTorchError", "__Script to__ X__Error"),
        ("use c++17 or C++", "use __17 or __"),
        ("scikit-learn, scikit", "__, scikit"),
        ("(torch)(torch)", "(__)(__)"),
        ("étorch torché", "étorch torché"),
        ("İİ torch", "İİ __"),
    ],
)
def test_where_a_word_ends(text, masked):
    assert Masker(WORDS).mask(text)[0] == masked


def test_the_longest_word_at_a_place_is_taken_and_a_shorter_one_if_it_does_not_end():
    masker = Masker(["a", "a b", "torch", "torch nn"])
    assert masker.mask("a b") == ("__", 1)
    assert masker.mask("a bc") == ("__ bc", 1)
    assert masker.mask("torch nnx torch nn") == ("__ nnx __", 2)


def test_a_mask_that_completes_a_word_is_masked_again():
    assert Masker(["numpy", "a__b"]).mask("aNumpyB")[0] == MASK


@pytest.mark.parametrize("words", [[], ["0", "1", "--"]])
def test_nothing_to_mask_changes_nothing(words):
    assert Masker(words).mask("0 1 -- two") == ("0 1 -- two", 0)


@pytest.mark.parametrize("word", ["", "12", "_"])
def test_a_word_without_a_letter_is_refused(word):
    with pytest.raises(RecipeError, match="holds no letter"):
        check_words(["fine", word])


def test_words_are_no_patterns():
    assert Masker(["a.c"]).mask("abc a.c")[0] == "abc __"


@pytest.mark.parametrize("unit", ["torc", "torchx", "Torch", "a_", "é", "scikit-lear"])
def test_time_grows_with_the_text_and_not_with_its_square(unit):
    masker = Masker([*WORDS, *(f"word{chr(97 + i)}" for i in range(26))])
    text = unit * (400_000 // len(unit))
    started = time.process_time()
    masker.mask(text)
    assert time.process_time() - started < 5
