from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from pipelines.dedupe.normalise import normalise
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.line_forms import beginnings, find_lines, normal_forms


def lines_of(array, paragraphs):
    """Return the stretches of each text, and the form and length of each of all."""
    texts = text_batch(array)
    spans = find_lines(texts.buffers, texts.codes, paragraphs)
    forms = normal_forms(texts.buffers, spans)
    assert {column.dtype.name for column in (*spans, *forms[:3])} == {"int64"}
    data = texts.buffers.data
    found = [data[s:e].tobytes() for s, e in zip(spans.starts, spans.ends, strict=True)]
    shown = [
        (forms.data[s:e].tobytes().decode("utf-8", "surrogateescape"), int(num))
        for s, e, num in zip(forms.starts, forms.ends, forms.chars, strict=True)
    ]
    return [found[start:end] for start, end in pairwise(spans.offsets.tolist())], shown


def oracle(text, paragraphs):
    lines = text.splitlines(keepends=True)
    if not paragraphs:
        return [line.encode() for line in lines if line.strip()]
    runs = groupby(lines, lambda line: bool(line.strip()))
    return ["".join(run).encode() for is_full, run in runs if is_full]


@pytest.mark.parametrize("paragraphs", [False, True])
def test_lines_are_those_of_python(paragraphs):
    num_lines = 0

    @example(ORDINARY_TEXTS)
    @example(["a\r\nb\r\r\n\nc\u2028\u2029d\x1c \x1d\te"])
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal num_lines
        expected = [oracle(text, paragraphs) for text in texts]
        forms = normalise(
            pa.array([line.decode() for lines in expected for line in lines], pa.string())
        )
        for array in as_arrays(texts):
            found, shown = lines_of(array, paragraphs)
            assert found == expected
            assert shown == [(form, len(form)) for form in forms]
        num_lines += len(forms)

    check()
    assert num_lines > 100


def test_example():
    text = " One,  two!\n\n\tThree\r\nfour \u2028 \n..."
    lines = [" One,  two!\n", "\tThree\r\n", "four \u2028", "..."]
    found, shown = lines_of(pa.array(["", text]), False)
    assert found == [[], [line.encode() for line in lines]]
    assert shown == [("one two", 7), ("three", 5), ("four", 4), ("", 0)]
    found, shown = lines_of(pa.array([text, "x"]), True)
    assert found == [[b" One,  two!\n", "\tThree\r\nfour \u2028".encode(), b"..."], [b"x"]]
    assert shown == [("one two", 7), ("three four", 10), ("", 0), ("x", 1)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  one two three\n", "one two th"),
        ("nine chars and more", "nine chars"),
        ("nine char and more", "nine char"),
        ("123456789é", "123456789"),
        ("12345678é", "12345678é"),
        ("\t\n", ""),
        ("\U0001f44d\U0001f44d\U0001f44d", "\U0001f44d\U0001f44d"),
    ],
)
def test_beginnings_are_whole_characters(line, shown):
    data = np.frombuffer(f"x{line}y".encode(), dtype=np.uint8)
    stretches = np.array([1, 1]), np.array([data.size - 1, data.size - 1])
    texts = beginnings(data, *stretches, 10)
    assert texts.data.tobytes().decode() == shown * 2
    assert texts.offsets.tolist() == [0, len(shown.encode()), 2 * len(shown.encode())]


def test_bytes_that_are_not_utf_8_are_counted_as_they_lie():
    raws = [b"\xff one\n\xe2\x80\n", b"\xc3\n\xa9"]
    offsets = np.cumsum([0, *map(len, raws)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(raws))]
    found, _ = lines_of(pa.Array.from_buffers(pa.string(), 2, buffers), False)
    assert found == [[b"\xff one\n", b"\xe2\x80\n"], [b"\xc3\n", b"\xa9"]]


@pytest.mark.parametrize("text", ["\n" * 300_000, "a\n" * 200_000, "\r" * 300_000, "́" * 300_000])
@pytest.mark.parametrize("paragraphs", [False, True])
def test_hostile_texts(text, paragraphs):
    found, _ = lines_of(pa.array([text, "", "a"]), paragraphs)
    assert found == [oracle(text, paragraphs), [], [b"a"]]
