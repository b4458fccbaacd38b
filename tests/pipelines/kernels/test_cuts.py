import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.buffers import text_buffers
from pipelines.kernels.cuts import (
    count_bytes,
    cut_texts,
    join_spans,
    rows_of,
    unite,
    whole_characters,
    with_blank_lines,
)

TEXTS = st.lists(st.text("aé中\U0001f44d\n ", max_size=12), min_size=1, max_size=4)
CUTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 40)), max_size=6)


def buffers_of(texts, padded=False):
    array = pa.array(["é#", *texts, "x"] if padded else texts, pa.string())
    return text_buffers(array.slice(1, len(texts)) if padded else array)


def spans_of(texts, cuts):
    """Return stretches given as (row, start, end) in bytes of each text."""
    rows, starts, ends = np.array(cuts, dtype=np.int64).reshape(-1, 3).T
    begins = texts.offsets[rows]
    return join_spans(texts.num_texts, rows, starts + begins, ends + begins)


def bytes_of(texts, spans):
    """Return the bytes of each text that lie in a stretch, as sets."""
    sets = [set() for _ in range(texts.num_texts)]
    for row, start, end in zip(
        rows_of(spans).tolist(), *map(np.ndarray.tolist, spans[1:]), strict=True
    ):
        begin = int(texts.offsets[row])
        assert sets[row].isdisjoint(range(start - begin, end - begin + 1)), "they touch"
        sets[row] |= set(range(start - begin, end - begin))
    return sets


def kept_of(texts, spans):
    kept = cut_texts(texts, spans)
    return [
        kept.data[start:end].tobytes()
        for start, end in zip(kept.offsets, kept.offsets[1:], strict=False)
    ]


def fitting(raws, cuts):
    fitted = [
        (
            row % len(raws),
            *sorted(
                (one % (len(raws[row % len(raws)]) + 1), other % (len(raws[row % len(raws)]) + 1))
            ),
        )
        for row, one, other in cuts
    ]
    taken = [
        {at for row, start, end in fitted if row == number for at in range(start, end)}
        for number in range(len(raws))
    ]
    return fitted, taken


def test_what_is_left_is_what_no_stretch_holds():
    num_taken = num_left = 0

    @given(TEXTS, CUTS, CUTS, st.booleans())
    def check(texts, some, others, padded):
        nonlocal num_taken, num_left
        raws = [text.encode() for text in texts]
        buffers = buffers_of(texts, padded)
        (some, one), (others, other) = fitting(raws, some), fitting(raws, others)
        united = unite(spans_of(buffers, some), spans_of(buffers, others))
        expected = [left | right for left, right in zip(one, other, strict=True)]
        assert bytes_of(buffers, united) == expected
        assert count_bytes(united).tolist() == list(map(len, expected))
        left = [
            bytes(b for at, b in enumerate(raw) if at not in gone)
            for raw, gone in zip(raws, expected, strict=True)
        ]
        assert kept_of(buffers, united) == left
        num_taken += sum(map(len, expected))
        num_left += sum(map(len, left))

    check()
    assert min(num_taken, num_left) > 100


def test_characters_stay_unless_all_their_bytes_are_taken():
    num_split = 0

    @given(TEXTS, CUTS, st.booleans())
    def check(texts, cuts, padded):
        nonlocal num_split
        raws = [text.encode() for text in texts]
        buffers = buffers_of(texts, padded)
        cuts, taken = fitting(raws, cuts)
        expected = []
        for text, gone in zip(texts, taken, strict=True):
            whole, at = set(), 0
            for char in text:
                places = set(range(at, at + len(char.encode())))
                whole |= places if places <= gone else set()
                at += len(places)
            expected.append(whole)
        assert bytes_of(buffers, whole_characters(buffers, spans_of(buffers, cuts))) == expected
        num_split += expected != taken

    check()
    assert num_split > 10


def test_bytes_that_are_no_characters_are_left_by_at_most_three():
    raw = b"\x80" * 20
    buffers = [None, pa.py_buffer(np.array([0, 20], dtype=np.int32)), pa.py_buffer(raw)]
    texts = text_buffers(pa.Array.from_buffers(pa.string(), 1, buffers))
    spans = whole_characters(texts, spans_of(texts, [(0, 5, 15)]))
    assert (spans.starts.tolist(), spans.ends.tolist()) == ([8], [12])


@pytest.mark.parametrize(
    ("text", "left"),
    [  # X and Y are lines that are cut
        ("a\nX\nb\n", "a\nb\n"),
        ("a\n\nX\n\nb", "a\n\nb"),
        ("a\nX\n\nb", "a\n\nb"),
        ("a\n\nX\nb", "a\n\nb"),
        ("a\n\nX\nY\n \t\n\nb", "a\n\nb"),
        ("a\n\nX\n\nY\n\nb", "a\n\nb"),
        ("a\nX\n\nY\n\nb", "a\n\nb"),
        ("a\n\nX\n\n  b", "a\n\n  b"),
        ("X\n\nb", "b"),
        ("\n\nX\n\nb", "\n\nb"),
        ("a\n\nX", "a"),
        ("a \n \nX\n\n \n", "a"),
        ("a\nX\n\nY", "a"),
        ("a\nX\n\n", "a\n\n"),
        ("X\n\nY\n", ""),
        ("\n \nX", ""),
        ("a\u2028X\n\nb", "a\u2028\nb"),
    ],
)
def test_lines_go_with_the_blank_lines_that_would_be_left_over(text, left):
    raw = text.encode()
    cuts = [
        (1, raw.index(name), raw.index(name) + (2 if raw[raw.index(name) + 1 :] else 1))
        for name in (b"X", b"Y")
        if name in raw
    ]
    texts = buffers_of(["é", text, "z"], padded=True)
    cut = with_blank_lines(texts, spans_of(texts, cuts))
    assert kept_of(texts, cut) == ["é".encode(), left.encode(), b"z"]


def test_many_stretches_at_the_end_of_a_text_are_walked_once():
    text = "a" + "\nX\n\nX" * 100_000
    starts = np.flatnonzero(np.frombuffer(text.encode(), np.uint8) == ord("X"))
    texts = buffers_of([text])
    ends = np.minimum(starts + 2, len(text))
    spans = join_spans(1, np.zeros(starts.size, dtype=np.int64), starts, ends)
    assert kept_of(texts, with_blank_lines(texts, spans)) == [b"a"]
