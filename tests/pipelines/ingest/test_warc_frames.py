from __future__ import annotations

import io
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import event, given
from hypothesis import strategies as st

from pipelines.ingest.gzip_members import read_pieces
from pipelines.ingest.warc_frames import Broken, Frame, frame_records

sys.path.insert(0, str(Path(__file__).parent))
from warc_material import members, page, record, response

RECORDS = [record(response(page(at)), at=at) for at in range(8)]
STARTS = [sum(map(len, RECORDS[:at])) for at in range(len(RECORDS) + 1)]


def frames(data: bytes, is_gzip: bool = False) -> list[Frame | Broken]:
    return list(frame_records(read_pieces(io.BytesIO(data), is_gzip, b"WARC/"), 1 << 20))


def ids(found: list[Frame | Broken]) -> list[int]:
    whole = [frame.data for frame in found if isinstance(frame, Frame)]
    named = [re.search(rb"WARC-Record-ID: <urn:uuid:([0-9])>", data) for data in whole]
    return [int(name[1]) if name else -1 for name in named]


def errors(found: list[Frame | Broken]) -> list[str]:
    return [frame.error for frame in found if isinstance(frame, Broken)]


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
@pytest.mark.parametrize("how", ["plain", "a member each", "one member"])
def test_records_are_framed_with_their_offsets(how: str, ends: bytes) -> None:
    records = [data.replace(b"\r\n", ends) for data in RECORDS] if how != "plain" else RECORDS
    records = [record(b"a\nb", "conversion", at).replace(b"\r\n", ends) for at in range(8)]
    starts = [sum(map(len, records[:at])) for at in range(8)]
    if how == "a member each":
        packed = members(records)
        starts = [sum(map(len, packed[:at])) for at in range(8)]
        found = frames(b"".join(packed))
    elif how == "one member":
        starts = [0] * 8
        found = frames(members([b"".join(records)])[0])
    else:
        found = frames(b"".join(records))
    assert ids(found) == list(range(8))
    assert errors(found) == []
    assert [frame.offset for frame in found] == starts
    assert all(f.data[f.num_header_bytes :] == b"a\nb" for f in found if isinstance(f, Frame))


@pytest.mark.parametrize(
    ("length", "error"),
    [
        (10, "wrong length: no record follows after Content-Length 10"),
        (700, "wrong length: no record follows after Content-Length 700"),
        (100_000, "the record is cut off"),
        (10**12, "over max_record_bytes = 1048576"),
        (10**30, "gives no Content-Length"),
    ],
)
def test_a_wrong_length_costs_one_record(length: int, error: str) -> None:
    wrong = record(response(page(3)), at=3, length=length)
    found = frames(b"".join([*RECORDS[:3], wrong, *RECORDS[4:]]))
    assert ids(found) == [0, 1, 2, 4, 5, 6, 7]
    (broken,) = (frame for frame in found if isinstance(frame, Broken))
    assert error in broken.error
    assert broken.offset == STARTS[3]
    assert broken.raw.startswith(b"WARC/1.0\r\nWARC-Type: response")


def test_a_file_cut_within_a_record_says_so() -> None:
    found = frames(b"".join(RECORDS)[: STARTS[5] + 250])
    assert ids(found) == [0, 1, 2, 3, 4]
    assert errors(found)[0].startswith("the record is cut off: 250 of its ")


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_a_record_cut_anywhere_costs_itself_alone(ends: bytes) -> None:
    """All places behind its first line; what follows begins within one of its lines."""
    first, cut, last = (
        record(b"a text\nof lines", "conversion", at).replace(b"\r\n", ends) for at in (1, 2, 3)
    )
    for length in range(len(b"WARC/1.0" + ends), len(cut) - 2 * len(ends)):
        found = frames(first + cut[:length] + last)
        assert ids(found) == [1, 3], length
        assert len(errors(found)) == 1, length
        offsets = [frame.offset for frame in found]
        assert offsets == [0, len(first), len(first) + length], length
    found = frames(first + cut[:100] + cut[:70] + last)
    assert (ids(found), len(errors(found))) == ([1, 3], 2)


def test_an_address_that_ends_as_a_record_begins_cuts_none() -> None:
    for before in (b"WARC-Date", b"Content-Length"):
        named = RECORDS[1].replace(before, b"X-Of: http://a/WARC/1.0\r\n" + before, 1)
        found = frames(RECORDS[0] + named + RECORDS[2])
        assert (ids(found), errors(found)) == ([0, 1, 2], [])


def test_a_damaged_member_costs_its_record_and_names_the_bytes() -> None:
    packed = members(RECORDS)
    for at, change in ((3, -6), (3, 60), (7, -6), (0, 1), (0, -1)):
        bad = bytearray(packed[at])
        bad[change] ^= 255
        data = b"".join([*packed[:at], bytes(bad), *packed[at + 1 :]])
        start = sum(map(len, packed[:at]))
        found = frames(data, is_gzip=True)
        assert ids(found) == [other for other in range(8) if other != at]
        (broken,) = (frame for frame in found if isinstance(frame, Broken))
        assert broken.offset == start
        assert f"bytes {start} to {start + len(bad)} of the file are lost" in broken.error


def test_a_member_without_a_header_loses_nothing_before_it() -> None:
    packed = members(RECORDS[:2])
    found = frames(packed[0] + b"junk between members" + packed[1])
    assert ids(found) == [0, 1]
    (error,) = errors(found)
    assert error.startswith("gzip member damaged")


@pytest.mark.parametrize("as_members", [False, True])
@given(st.data())
def test_junk_costs_no_record_but_those_it_touches(as_members: bool, data: st.DataObject) -> None:
    packed = members(RECORDS) if as_members else RECORDS
    starts = [sum(map(len, packed[:at])) for at in range(len(packed) + 1)]
    whole = b"".join(packed)
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=60))
    end = min(at + len(junk), len(whole))
    found = frames(whole[:at] + junk[: end - at] + whole[end:], is_gzip=as_members)
    touched = {n for n in range(8) if starts[n] < end + 4 and at - 4 < starts[n + 1]}
    assert set(range(8)) - touched <= set(ids(found))
    assert len(ids(found)) <= 8
    event(f"broken: {len(errors(found))}")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_can_be_framed(data: bytes, after_a_record: bool) -> None:
    found = frames(RECORDS[0] + data if after_a_record else data)
    assert len(found) >= after_a_record
    assert all(frame.error for frame in found if isinstance(frame, Broken))


def test_memory_is_bounded_whatever_a_record_declares() -> None:
    size = 40 << 20
    data = record(b"x" * size, "resource", 1) + RECORDS[2] + b"\r\n" * (4 << 20) + RECORDS[3]
    tracemalloc.start()
    try:
        found = frames(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ids(found) == [2, 3]
    assert "over max_record_bytes" in errors(found)[0]
    assert peak < 8 << 20


def _archives(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "web-archives").rglob("*.w?[rt]*"))
    return [
        path
        for path in found
        if path.name.endswith((".warc", ".warc.gz", ".wet", ".wet.gz", ".wat.gz"))
    ]


def test_fastwarc_frames_the_same_records_of_real_archives(shared_data: Path) -> None:
    num_records = 0
    for path in _archives(shared_data):
        with path.open("rb") as stream:
            pieces = read_pieces(stream, path.suffix == ".gz", b"WARC/")
            found = list(frame_records(pieces, 64 << 20))
        if errors(found):
            continue  # it stops there
        with path.open("rb") as stream:
            theirs = [
                (record.record_id, bytes(record.reader.read()))
                for record in ArchiveIterator(stream, parse_http=False)
            ]
        assert [f.data[f.num_header_bytes :] for f in found if isinstance(f, Frame)] == [
            content for _, content in theirs
        ]
        num_records += len(theirs)
    assert num_records > 500
