from __future__ import annotations

import gzip
import io

from hypothesis import event, given
from hypothesis import strategies as st

from pipelines.ingest.gzip_members import Damage, Piece, read_pieces

CONTENTS = [b"WARC/%d " % at + bytes(range(256)) * (at % 7) for at in range(20)]
MEMBERS = [gzip.compress(content, mtime=0) for content in CONTENTS]
STARTS = [sum(map(len, MEMBERS[:at])) for at in range(len(MEMBERS) + 1)]


def read(data: bytes, is_gzip: bool = True) -> tuple[dict[int, bytes], list[Damage]]:
    contents: dict[int, bytes] = {}
    damages = []
    for event_ in read_pieces(io.BytesIO(data), is_gzip, b"WARC/"):
        if isinstance(event_, Damage):
            damages.append(event_)
        else:
            contents[event_.offset] = contents.get(event_.offset, b"") + event_.data
    return contents, damages


def test_members_are_read_with_the_offsets_where_they_begin() -> None:
    contents, damages = read(b"".join(MEMBERS))
    assert list(contents.values()) == CONTENTS
    assert list(contents) == STARTS[:-1]
    assert damages == []


def test_zero_bytes_are_padding_and_an_empty_file_is_empty() -> None:
    assert list(read(MEMBERS[0] + b"\0" * 600_000 + MEMBERS[1])[0].values()) == CONTENTS[:2]
    assert read(b"") == ({}, [])


def test_a_plain_file_is_given_as_it_is() -> None:
    data = b"WARC/" + b"x" * 600_000
    assert b"".join(piece.data for piece in read_pieces(io.BytesIO(data), False)) == data
    assert sum(len(content) for content in read(data, is_gzip=True)[0].values()) == len(data)


def test_a_file_that_is_no_gzip_is_one_damage() -> None:
    _, (damage,) = read(b"no gzip at all" * 100_000)
    assert (damage.start, damage.end) == (0, 1_400_000)
    assert "incorrect header check" in damage.error


def test_what_is_cut_off_says_where_it_began() -> None:
    contents, (damage,) = read(b"".join(MEMBERS)[:-5])
    assert [contents[start] for start in STARTS[:-2]] == CONTENTS[:-1]
    assert (damage.start, damage.end) == (STARTS[-2], STARTS[-1] - 5)
    assert str(damage).startswith("gzip member cut off; bytes")


def test_a_bomb_comes_in_pieces() -> None:
    data = gzip.compress(b"\0" * 50_000_000)
    sizes = [
        len(piece.data) for piece in read_pieces(io.BytesIO(data), True) if isinstance(piece, Piece)
    ]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 1 << 20


@given(st.integers(0, len(MEMBERS) - 1), st.integers(0, 400), st.binary(min_size=1, max_size=40))
def test_all_other_members_are_read_whatever_stands_in_one(
    at: int, index: int, junk: bytes
) -> None:
    member = bytearray(MEMBERS[at])
    index %= len(member)
    member[index : index + len(junk)] = junk
    data = b"".join([*MEMBERS[:at], bytes(member), *MEMBERS[at + 1 :]])
    contents, damages = read(data)
    shift = len(member) - len(MEMBERS[at])
    for other, content in enumerate(CONTENTS):
        if other != at:
            assert contents[STARTS[other] + (shift if other > at else 0)] == content
    for damage in damages:
        assert STARTS[at] <= damage.start < damage.end <= STARTS[at + 1] + shift
    event(f"damages: {len(damages)}")
    assert damages or contents.get(STARTS[at]) is not None or junk.startswith(b"\0")


def test_damage_in_a_long_member_loses_no_later_one() -> None:
    noise = bytes((at * at * 7919 >> 5) & 255 for at in range(3_000_000))
    long = bytearray(gzip.compress(b"WARC/" + noise, 1))
    long[len(long) // 2] ^= 255
    contents, damages = read(MEMBERS[0] + bytes(long) + MEMBERS[1])
    assert contents[0] == CONTENTS[0]
    assert contents[len(MEMBERS[0]) + len(long)] == CONTENTS[1]
    assert damages
