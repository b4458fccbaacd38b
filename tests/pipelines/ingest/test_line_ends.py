from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest import line_ends
from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.line_ends import with_line_feeds


def read(*blocks: bytes, is_quoted: bool = True) -> bytes:
    return b"".join(with_line_feeds(iter(blocks), is_quoted))


@pytest.mark.parametrize(
    ("data", "quoted", "plain"),
    [
        (b"a,b\r1,2\r", b"a,b\n1,2\n", b"a,b\n1,2\n"),
        (b"a,b\r\n1,2\r\n", None, None),
        (b"a,b\n1,2\r3\n", None, None),
        (b"a,2\r3\nb,1\n", None, None),
        (b'a,"b\nc"\rd,e\r', b'a,"b\nc"\nd,e\n', None),
        (b'"a\rb",c\nd,e\n', None, None),
        (b'"a\rb,c\rd\n', None, None),
        (b"a,b\r1,2\r\n3", None, None),
        (b"a,b\r", None, None),
        (b"", None, None),
    ],
)
def test_cr_is_a_line_end_where_no_row_ends_otherwise(
    data: bytes, quoted: bytes | None, plain: bytes | None
) -> None:
    assert read(data) == (quoted or data)
    assert read(data, is_quoted=False) == (plain or data)


@given(st.lists(st.text('\r\n",a', max_size=4).map(str.encode), max_size=5))
def test_where_blocks_end_changes_nothing_after_the_head(blocks: list[bytes]) -> None:
    head, data = b"a,b\r1,2\r", b"".join(blocks)
    with patch.object(line_ends, "_HEAD_BYTES", len(head)):
        found = read(head, *blocks)
        assert found == read(head, data)
    assert found.startswith(b"a,b\n1,2")
    assert found.replace(b"\n", b"\r") == (head + data).replace(b"\n", b"\r")


def test_what_came_before_a_break_is_given() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"a,b\r1,2\r3"
        raise BrokenStream("cut off")

    given_, found = with_line_feeds(blocks(), is_quoted=True), []
    with pytest.raises(BrokenStream):
        found.extend(given_)
    assert found == [b"a,b\n1,2\n3"]
