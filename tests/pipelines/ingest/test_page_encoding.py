from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest import page_encoding
from pipelines.ingest.page_encoding import codec_of, decode_page, find_codec, prescan


@pytest.mark.parametrize(
    ("data", "declared", "codec"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "koi8-r", "utf-8"),
        (b"\xff\xfe<\0p\0>\0", "koi8-r", "utf-16-le"),
        (b"<meta charset=utf-8>\xd4", "koi8-r", "koi8-r"),
        (b"<meta charset=koi8-r>", "no such label", "koi8-r"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=big5'>", None, "big5hkscs"),
        (b"<!-- <meta charset=koi8-r> --><p>", None, "utf-8"),
        (b"<p title='<meta charset=koi8-r>'>", None, "utf-8"),
        (b"<meta charset=utf-16>", None, "utf-8"),
        (b"plain", None, "utf-8"),
        ("жизнь прекрасна и удивительна".encode("cp1251") * 20, None, "cp1251"),
    ],
)
def test_a_mark_goes_before_the_header_before_the_meta_before_what_fits(
    data: bytes, declared: str | None, codec: str
) -> None:
    assert find_codec(data, declared)[0] == codec


def test_bytes_that_are_not_of_the_encoding_are_named_or_repaired() -> None:
    data = b"<meta charset=utf-8>caf\xe9 \xff"
    with pytest.raises(ValueError, match="not utf-8: byte 0xe9 at byte 23"):
        decode_page(data, None, repair=False)
    decoded = decode_page(data, None, repair=True)
    assert decoded.text.endswith("caf\ufffd \ufffd")
    assert decoded.num_repairs == 2


@pytest.mark.parametrize(
    "head", [b"<", b"<meta", b"<meta charset=", b"<!--", b"<!", b"<a b='", b""]
)
def test_a_head_that_ends_early_declares_nothing(head: bytes) -> None:
    assert prescan(head) is None
    assert prescan(head * 20_000) is None


def _html5lib_cases(shared_data: Path) -> Iterator[tuple[bytes, str]]:
    with tarfile.open(shared_data / "html5lib-tests/html5lib_tests.tar.xz") as archive:
        for name in ("tests1.dat", "tests2.dat", "test-yahoo-jp.dat"):
            member = archive.extractfile(f"encoding/{name}")
            assert member is not None
            for block in member.read().split(b"#data\n")[1:]:
                data, _, label = block.partition(b"\n#encoding\n")
                yield data, label.split(b"\n")[0].decode().strip().lower()


def test_html5lib_agrees_on_what_pages_declare(shared_data: Path) -> None:
    cases = list(_html5lib_cases(shared_data))
    for data, label in cases:
        # Where nothing is declared, its answer is windows-1252; ours is what fits the bytes.
        declared = find_codec(data, None)[0] if data[:3] == b"\xef\xbb\xbf" else prescan(data)
        assert (declared or "cp1252") == codec_of(label), data
    assert len(cases) == 82


PARTS = [b"a", b" ", b"=", b'"', b"'", b"/", b">", b"\n", b"<", b'x="y"', b"z='>'", b" c=d"]


@given(st.lists(st.sampled_from(PARTS), max_size=14).map(b"".join))
def test_a_tag_that_declares_nothing_ends_where_its_attributes_do(tag: bytes) -> None:
    rest = page_encoding._REST_OF_TAG.match(tag)
    assert (rest.end() if rest else len(tag)) == page_encoding._attributes(tag, 0)[1]
