import re
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS
from hypothesis import example, given

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.pieces import Pieces, count_pieces, lines_and_paragraphs, sum_by_text


def strings(text_codes, pieces):
    """Return the pieces of each text, as strings."""
    found = [
        "".join(map(chr, text_codes.codes[start:end]))
        for start, end in zip(pieces.starts, pieces.ends, strict=True)
    ]
    return [found[first:last] for first, last in pairwise(pieces.offsets)]


def paragraphs_of(text):
    blocks = groupby(text.splitlines(keepends=True), key=lambda line: bool(line.strip()))
    return ["".join(lines).strip() for has_text, lines in blocks if has_text]


@example(ORDINARY_TEXTS)
@example(["a\r\nb\r\n\r\nc\n\rd\x0b\x0ce", "", " \n", "a\r\n \u2028 b"])
@given(HOSTILE_TEXTS)
def test_lines_and_paragraphs_are_those_of_python(texts):
    codes = text_batch(pa.array(texts, pa.string())).codes
    lines, paragraphs = lines_and_paragraphs(codes)
    nonblank = [[line.strip() for line in text.splitlines() if line.strip()] for text in texts]
    assert strings(codes, lines) == nonblank
    assert strings(codes, paragraphs) == [paragraphs_of(text) for text in texts]


def test_copies_are_counted_in_each_text_alone():
    texts = ["ab c ab ab", "ab c", "", "x x"]
    codes = text_batch(pa.array(texts)).codes
    spans = [(match.span(), row) for row, t in enumerate(texts) for match in re.finditer(r"\S+", t)]
    starts, ends = np.array([codes.offsets[row] + span for span, row in spans], dtype=np.int32).T
    pieces = Pieces(np.array([0, 4, 6, 6, 8]), starts, ends)
    counts = count_pieces(codes, pieces)
    assert counts.pieces.tolist() == [4, 2, 0, 2]
    assert counts.chars.tolist() == [7, 3, 0, 2]
    assert counts.copies.tolist() == [2, 0, 0, 1]
    assert counts.copied_chars.tolist() == [4, 0, 0, 1]


def test_sums_by_text():
    offsets = np.array([0, 2, 2, 3])
    assert sum_by_text(np.array([True, True, False]), offsets).tolist() == [2, 0, 0]
    assert sum_by_text(np.array([2**31 - 1, 2**31 - 1, 5], dtype=np.int32), offsets).tolist() == [
        2**32 - 2,
        0,
        5,
    ]


@pytest.mark.parametrize("text", ["", "\n" * 100_000, "\u2029" * 100_000, "a\r\n\r\n" * 50_000])
def test_hostile_texts(text):
    codes = text_batch(pa.array([text])).codes
    lines, paragraphs = lines_and_paragraphs(codes)
    assert lines.starts.size == paragraphs.starts.size == text.count("a")
