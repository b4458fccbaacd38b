import unicodedata

import pytest

from pipelines.signals.characters import FAMILY


def oracle(text):
    def ratio(is_member):
        return sum(map(is_member, text)) / len(text) if text else 0.0

    return {
        "num_bytes": len(text.encode()),
        "num_chars": len(text),
        "alphabetic_chars_ratio": ratio(str.isalpha),
        "digit_chars_ratio": ratio(str.isdecimal),
        "upper_chars_ratio": ratio(str.isupper),
        "whitespace_chars_ratio": ratio(str.isspace),
        "symbol_chars_ratio": ratio(lambda char: unicodedata.category(char)[0] in "PS"),
    }


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert min(touched.values()) > 0, touched


def test_example(measure_one):
    assert measure_one(FAMILY, "Où 4€?\n") == {
        "num_bytes": 10,
        "num_chars": 7,
        "alphabetic_chars_ratio": 2 / 7,
        "digit_chars_ratio": 1 / 7,
        "upper_chars_ratio": 1 / 7,
        "whitespace_chars_ratio": 2 / 7,
        "symbol_chars_ratio": 2 / 7,
    }


@pytest.mark.parametrize("text", ["", "\n" * 300_000, "中" * 300_000, "a " * 300_000])
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
