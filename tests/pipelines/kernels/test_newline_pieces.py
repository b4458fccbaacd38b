import re
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.newline_pieces import newline_lines, newline_paragraphs, without_blank

NEWLINES = st.lists(st.text("\n\n\n\r a\x1c\u2028é", max_size=12), max_size=6)


def strings(codes, pieces):
    """Return the pieces of each text, as strings."""
    found = [
        "".join(map(chr, codes.codes[start:end]))
        for start, end in zip(pieces.starts, pieces.ends, strict=True)
    ]
    return [found[first:last] for first, last in pairwise(pieces.offsets)]


def test_pieces_are_those_of_regular_expressions():
    touched = Counter()

    @given(NEWLINES)
    def check(texts):
        codes = text_batch(pa.array(texts, pa.string())).codes
        lines = [re.split("\n+", text) for text in texts]
        paragraphs = [re.split("\n{2,}", text.strip()) for text in texts]
        assert strings(codes, newline_lines(codes)) == lines
        assert strings(codes, newline_paragraphs(codes)) == paragraphs
        kept = [[line for line in text.split("\n") if line.strip()] for text in texts]
        assert strings(codes, without_blank(codes, newline_lines(codes))) == kept
        touched.update(
            lines=max(map(len, lines), default=0) > 2,
            paragraphs=max(map(len, paragraphs), default=0) > 1,
            blank=sum(map(len, kept)) < sum(map(len, lines)),
        )

    check()
    assert min(touched.values()) > 0, touched
    assert len(touched) == 3


@pytest.mark.parametrize("text", ["", "\n", "\n\n\na", "a\n", "\n" * 100_000, "a\n\n" * 50_000])
def test_hostile_texts(text):
    codes = text_batch(pa.array([text])).codes
    assert strings(codes, newline_lines(codes)) == [re.split("\n+", text)]
    assert strings(codes, newline_paragraphs(codes)) == [re.split("\n{2,}", text.strip())]
