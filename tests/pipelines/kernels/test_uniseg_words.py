import re
from collections import Counter

import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels import word_break_table as table
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.uniseg_words import uniseg_words

CLASSES = table.load_word_break_table().classes
# A letter for each kind, in the order of their numbers.
KINDS = "OWRKAHNElnbsdXZCLV"
# The rules of UAX #29, in their order: what stands before and behind, and whether they join.
RULES = [
    ("WB3", "C", "L", True),
    ("WB3a", "[CLV]", "", False),
    ("WB3b", "", "[CLV]", False),
    ("WB3c", "Z", "[*@]", True),
    ("WB3d", "W", "W", True),
    ("WB4", "", "[XZ]", True),
    ("WB5", "[AH]x*", "[AH]", True),
    ("WB6", "[AH]x*", "[lbs]x*[AH]", True),
    ("WB7", "[AH]x*[lbs]x*", "[AH]", True),
    ("WB7a", "Hx*", "s", True),
    ("WB7b", "Hx*", "dx*H", True),
    ("WB7c", "Hx*dx*", "H", True),
    ("WB8", "Nx*", "N", True),
    ("WB9", "[AH]x*", "N", True),
    ("WB10", "Nx*", "[AH]", True),
    ("WB11", "Nx*[nbs]x*", "N", True),
    ("WB12", "Nx*", "[nbs]x*N", True),
    ("WB13", "Kx*", "K", True),
    ("WB13a", "[AHNKE]x*", "E", True),
    ("WB13b", "Ex*", "[AHNK]", True),
    ("WB15", r"\Ax*(Rx*Rx*)*Rx*", "R", True),
    ("WB16", "[^RXZ]x*(Rx*Rx*)*Rx*", "R", True),
    ("WB999", "", "", False),
]
PIECES = ["a", "ñ", "中", "カ", "א", "7", "_", ":", ",", ".", "'", '"', "\u0301", "\u200d", "\xad"]
PIECES += ["\r", "\n", "\u2028", " ", "\u3000", "!", "\U0001f600", "\U0001f1e6", "²", "e\u0301"]


def kind_letters(text, pictographs):
    """Return a letter for each character; ``pictographs`` stand for a pictographic O and A."""
    letters = []
    for char in text:
        bits = int(CLASSES[ord(char)])
        letter = KINDS[bits & table.KIND]
        is_pictograph = pictographs and bits & table.PICTOGRAPHIC
        letters.append({"O": "*", "A": "@"}[letter] if is_pictograph else letter)
    return "".join(letters)


def joins_by_the_rules(plain, marked, at, used):
    for name, before, after, joins in RULES:
        letters = marked if name == "WB3c" else plain
        before, after = before.replace("x", "[XZ]"), after.replace("x", "[XZ]")
        if re.search(f"(?:{before})\\Z", letters[:at]) and re.match(after, letters[at:]):
            used[name] += 1
            return joins
    raise AssertionError("The last rule always applies.")


def words_by_the_rules(text, used):
    plain, marked = kind_letters(text, False), kind_letters(text, True)
    words = []
    for at in range(len(text)):
        if at and joins_by_the_rules(plain, marked, at, used):
            words[-1] += text[at]
        else:
            words.append(text[at])
    return [word for word in words if word[0].isalnum()]


def split(array):
    batch = text_batch(array)
    words, codes = batch.words(uniseg_words), batch.codes.codes
    found = []
    for first, last in zip(words.offsets[:-1], words.offsets[1:], strict=True):
        spans = zip(words.starts[first:last], words.ends[first:last], strict=True)
        found.append(["".join(map(chr, codes[start:end])) for start, end in spans])
    return found


def test_words_are_those_of_the_rules():
    used = Counter()

    @example(ORDINARY_TEXTS)
    @example(["א\"א א'a a\u0301'\u200db 1,2 1.\u0301" + "\U0001f1e6\u0301" * 5])
    @example(
        ["\u200d\U0001f600 a\u200d\u24c2", "a_1_ カタ_カ\r\n \u3000 a1 11a א' x", "\U0001f1e6" * 5]
    )
    @given(HOSTILE_TEXTS | st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
    def check(texts):
        expected = [words_by_the_rules(text, used) for text in texts]
        for array in as_arrays(texts):
            assert split(array) == expected

    check()
    assert all(used[name] for name, *_ in RULES), used


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # the annex's own example
        (
            "The quick (“brown”) fox can’t jump 32.3 feet, right?",
            ["The", "quick", "brown", "fox", "can’t", "jump", "32.3", "feet", "right"],
        ),
        ("don't 'tis dogs' rock'n'roll", ["don't", "tis", "dogs", "rock'n'roll"]),
        ("$1,234.50 e.g. so...yeah... a:b", ["1,234.50", "e.g", "so", "yeah", "a:b"]),
        ("snake_case _private __init__", ["snake_case"]),  # begins with a mark: no word
        ("中文 カタカナ ひら", ["中", "文", "カタカナ", "ひ", "ら"]),
        ("cafe\u0301s na\xadive", ["cafe\u0301s", "na\xadive"]),
        ("בית\"ס ג'ירפה ה'", ['בית"ס', "ג'ירפה", "ה'"]),
        ("x² ½ 3rd", ["x", "²", "½", "3rd"]),
        ("", []),
        (" \n\t!?", []),
    ],
)
def test_examples(text, words):
    assert split(pa.array([text])) == [words]


@pytest.mark.parametrize(
    ("text", "num_words"),
    [
        ("x" * 2_000_000, 1),
        ("a'" * 1_000_000, 1),
        ("'" * 2_000_000, 0),
        ("a'" + "\u0301" * 2_000_000, 1),
        ("\u200d" * 2_000_000, 0),
        ("\n" * 2_000_000, 0),
        ("中" * 2_000_000, 2_000_000),
        ("\U0001f1e6" * 1_000_000, 0),
    ],
)
def test_hostile_texts(text, num_words):
    words = text_batch(pa.array([text, "end"])).words(uniseg_words)
    assert words.offsets.tolist() == [0, num_words, num_words + 1]


def test_bytes_that_are_not_utf8_are_no_words():
    data = b"ab\xffcd \xfe \xff9"
    array = pa.StringArray.from_buffers(
        1, pa.py_buffer(pa.array([0, len(data)], pa.int32()).buffers()[1]), pa.py_buffer(data)
    )
    assert split(array) == [["ab", "cd", "9"]]
