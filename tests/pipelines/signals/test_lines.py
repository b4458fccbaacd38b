from itertools import groupby

import pytest

from pipelines.kernels.lines import SHORT_LINE_CHARS
from pipelines.signals.lines import FAMILY


def oracle(text):
    lines = [line.strip() for line in text.splitlines()]
    nonblank = [line for line in lines if line]

    def ratio(number):
        return number / len(nonblank) if nonblank else 0.0

    return {
        "num_lines": len(lines),
        "num_nonblank_lines": len(nonblank),
        "num_paragraphs": sum(has_text for has_text, _ in groupby(lines, key=bool)),
        "bullet_lines_ratio": ratio(sum(line.startswith(("•", "-", "*")) for line in nonblank)),
        "ellipsis_lines_ratio": ratio(sum(line.endswith(("...", "…")) for line in nonblank)),
        "punctuated_lines_ratio": ratio(sum(line[-1] in ".!?\"'…。！？”’" for line in nonblank)),
        "short_lines_ratio": ratio(sum(len(line) <= SHORT_LINE_CHARS for line in nonblank)),
        "duplicate_lines_ratio": ratio(len(nonblank) - len(set(nonblank))),
    }


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert min(touched.values()) > 0, touched


def test_example(measure_one):
    text = "- one\r\n * two...\n\n\t\nA line of more than thirty characters.\n- one \n"
    assert measure_one(FAMILY, text) == {
        "num_lines": 6,
        "num_nonblank_lines": 4,
        "num_paragraphs": 2,
        "bullet_lines_ratio": 3 / 4,
        "ellipsis_lines_ratio": 1 / 4,
        "punctuated_lines_ratio": 2 / 4,
        "short_lines_ratio": 3 / 4,
        "duplicate_lines_ratio": 1 / 4,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 300_000,
        "\r" * 100_001 + "\n",
        "same\n" * 300_000,
        "\n".join(map(str, range(100_000))),
        "no line break " * 50_000,
        " \u2028" * 50_000,
    ],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)


def test_the_layout_of_the_hash_table_decides_nothing(monkeypatch, measure_one):
    text = "\n".join(str(number * number % 997) for number in range(5000))
    values = []
    for seed in (0, 12345, 2**64 - 1):
        monkeypatch.setattr("secrets.randbits", lambda bits, seed=seed: seed)
        values.append(measure_one(FAMILY, text))
    assert values[0] == values[1] == values[2] == oracle(text)
