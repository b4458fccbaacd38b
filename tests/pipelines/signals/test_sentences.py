import re

import pytest

from pipelines.signals.sentences import FAMILY

STOPS, WIDE_STOPS, CLOSERS = ".!?…", "。！？", "\"')]}”’»」』"
RUN = re.compile(f"[{re.escape(STOPS + WIDE_STOPS)}][{re.escape(STOPS + WIDE_STOPS + CLOSERS)}]*")


def oracle(text):
    sentences, start = [], 0
    for run in RUN.finditer(text):
        after = text[run.end() : run.end() + 1]
        if set(run.group()) & set(WIDE_STOPS) or not after or after.isspace():
            sentences.append(text[start : run.end()])
            start = run.end()
    sentences.append(text[start:])
    has_content = [any(c.isalpha() or c.isdecimal() for c in sentence) for sentence in sentences]
    return {"num_sentences": sum(has_content)}


def test_values_are_those_of_the_regular_expression(agree):
    touched = agree(FAMILY, oracle)
    assert touched["num_sentences"] > 0


@pytest.mark.parametrize(
    ("text", "num_sentences"),
    [
        ("", 0),
        ("...", 0),
        ("No stop at all", 1),
        ("One. Two! Three?", 3),
        ('He said: "One." (Two.) Three', 3),
        ("Wait... what?! v1.0 is out", 3),
        ("Mr. Smith", 2),
        ("一。二！三", 3),
        ("One.two", 1),
        ("One.)\u00a0two", 2),
        ("-- . -- .", 0),
    ],
)
def test_examples(measure_one, text, num_sentences):
    assert (
        measure_one(FAMILY, text)["num_sentences"] == num_sentences == oracle(text)["num_sentences"]
    )


@pytest.mark.parametrize("text", ["a. " * 100_000, "." * 300_000, "\n" * 300_000, "x" * 300_000])
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
