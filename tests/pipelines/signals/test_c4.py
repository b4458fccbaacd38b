import re
from collections import Counter

import pyarrow as pa
import pytest
from c4_texts import C4_TEXTS, GOOD_LINES
from hypothesis import example, given

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.sentences import count_sentences
from pipelines.signals.c4 import FAMILY
from pipelines.signals.family import SignalsConfig

POLICIES = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies"]
POLICIES += ["use cookies"]


def num_sentences(lines):
    return int(count_sentences(text_batch(pa.array(lines, pa.string())).codes).sum())


def oracle(text):
    lorem, curly, kept, num_lines = 0, 0, [], 0
    for line in text.splitlines():
        words = line.split()
        line = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line.strip())
        lowered = line.lower()
        num_lines += 1
        if "lorem ipsum" in lowered:
            lorem += 1
        elif "{" in line:
            curly += 1
        elif (
            len(words) >= 5
            and max(map(len, words)) <= 1000
            and line.endswith((".", "?", "!", '"', "'"))
            and not line.endswith("...")
            and not any(phrase in lowered for phrase in ["javascript", *POLICIES])
        ):
            kept.append(line)
    return {
        "num_c4_kept_lines": len(kept),
        "num_c4_dropped_lines": num_lines - len(kept),
        "num_c4_sentences": num_sentences(kept),
        "num_c4_lorem_ipsum_lines": lorem,
        "num_c4_curly_bracket_lines": curly,
        "num_c4_third_line_chars": sorted([0, 0, *map(len, text.split("\n"))])[-3],
    }


def test_values_are_those_of_python_in_every_layout(agree):
    touched = agree(FAMILY, oracle)
    assert touched["num_c4_kept_lines"] + touched["num_c4_dropped_lines"] > 0


def test_values_are_those_of_python():
    touched = Counter({field.name: 0 for field in FAMILY.fields})

    @example(["\n".join([*GOOD_LINES, "{", "LOREM ipsum"])])
    @given(C4_TEXTS)
    def check(texts):
        values = FAMILY.measure(text_batch(pa.array(texts, pa.string())), SignalsConfig())
        expected = [oracle(text) for text in texts]
        for name, column in values.items():
            assert column.tolist() == [row[name] for row in expected], name
            touched[name] += sum(bool(row[name]) for row in expected)

    check()
    assert min(touched.values()) > 0, touched


def test_example(measure_one):
    text = (
        "This line of it stays. So [1] it does.[2]\nThis one does not\nToo short, too.\n"
        "var a = {\nThis one wants JavaScript to run.\nLorem Ipsum dolor"
    )
    assert measure_one(FAMILY, text) == {
        "num_c4_kept_lines": 1,
        "num_c4_dropped_lines": 5,
        "num_c4_sentences": 2,
        "num_c4_lorem_ipsum_lines": 1,
        "num_c4_curly_bracket_lines": 1,
        "num_c4_third_line_chars": 17,
    }


@pytest.mark.parametrize(
    "text",
    ["", "\n" * 200_000, "[" * 200_000, "{\n" * 50_000, "a b c d e. " * 30_000, "x" * 300_000],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
