import pytest
from divided import words_of

from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation
from pipelines.kernels.spacy_words import spacy_words
from pipelines.signals.datatrove_lines import FAMILY


def oracle(text):
    terminal = load_datatrove_punctuation().terminal
    words = words_of(text, spacy_words)
    lines = [line for line in text.split("\n") if line.strip()]
    copies = [line for at, line in enumerate(lines) if line in lines[:at]]
    num_chars = len(text) - text.count("\n")

    def per_line(number):
        return number / len(lines) if lines else 0.0

    return {
        "num_datatrove_nonblank_lines": len(lines),
        "datatrove_punctuated_lines_ratio": per_line(
            sum(bool(terminal[ord(line[-1])]) for line in lines)
        ),
        "datatrove_short_lines_ratio": per_line(sum(len(line) < 31 for line in lines)),
        "datatrove_duplicate_nonblank_line_chars_ratio": (
            len("".join(copies)) / num_chars if num_chars else 0.0
        ),
        "datatrove_newline_words_ratio": text.count("\n") / len(words) if words else 0.0,
    }


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert min(touched.values()) > 0, touched


def test_example(measure_one):
    text = "Yes!\n\n  \nYes! \nA line of thirty-one characters\nYes!\r\nYes!\n。"
    assert measure_one(FAMILY, text) == {
        "num_datatrove_nonblank_lines": 6,
        "datatrove_punctuated_lines_ratio": 3 / 6,  # a space or "\r" hides the mark
        "datatrove_short_lines_ratio": 5 / 6,
        "datatrove_duplicate_nonblank_line_chars_ratio": 4 / (4 + 2 + 5 + 31 + 5 + 4 + 1),
        "datatrove_newline_words_ratio": 7 / 16,  # a hyphen between letters divides a word
    }


@pytest.mark.parametrize(
    "text",
    ["", "\n" * 300_000, "same.\n" * 30, "\u2028\n" * 100_000, "。" * 50_000, "\n\x1c\x85a\u0301"],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
