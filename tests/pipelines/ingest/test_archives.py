from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import stat
import tarfile
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

Ingest = Callable[..., Any]
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": zstandard.compress,
}


def jsonl(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def parquet(*texts: str) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), target)
    return target.getvalue()


def tar(
    files: dict[str, bytes], *infos: tarfile.TarInfo, form: int = tarfile.DEFAULT_FORMAT
) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in infos:
            archive.addfile(info)
    return target.getvalue()


def zip_of(files: dict[str, bytes], *infos: zipfile.ZipInfo) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for info in infos:
            archive.writestr(info, b"/etc/passwd")
    return target.getvalue()


FILES = {
    "./top.txt": b"plain",
    "train/a.jsonl": jsonl("one", "two"),
    "train/b.jsonl.gz": gzip.compress(jsonl("three")),
    "train/c.parquet": parquet("four"),
    "train/d.csv": b"text\nfive\n",
    "train/.hidden.txt": b"no",
    "train/e.bin": b"no",
}
TEXTS = {
    "!./top.txt": "plain",
    "!train/a.jsonl#1": "one",
    "!train/a.jsonl#2": "two",
    "!train/b.jsonl.gz#1": "three",
    "!train/c.parquet#1": "four",
    "!train/d.csv#1": "five",
}


@pytest.mark.parametrize("suffix", [*PACK, ".zip"])
def test_members_are_read_by_their_formats(ingest_folder: Ingest, suffix: str) -> None:
    data = zip_of(FILES) if suffix == ".zip" else PACK[suffix](tar(FILES))
    found = ingest_folder({f"x/all{suffix}": data})
    assert found.quarantined == []
    assert found.texts == {f"x/all{suffix}{key}": text for key, text in TEXTS.items()}
    assert found.facts["num_members_ignored"] == 2
    assert {row["uri"].partition("!")[0] for row in found.rows} == {f"x/all{suffix}"}
    found = ingest_folder({f"y{suffix}": data}, labels=(("set", "mine"),))
    labels = {row["uri"]: dict(row["labels"]) for row in found.rows}
    assert labels[f"y{suffix}!train/a.jsonl"] == {"folder": "train", "set": "mine"}


BAD_NAMES = {
    "../out.txt": "a path that leads out of the archive",
    "a/../../out.txt": "a path that leads out of the archive",
    "/etc/out.txt": "an absolute path",
    "C:\\out.txt": "an absolute path",
    "a\\..\\out.txt": "a path that leads out of the archive",
    "in.zip": "an archive within an archive",
}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_leads_out_of_an_archive_is_refused_by_name(
    ingest_folder: Ingest, kind: str, tmp_path: Path
) -> None:
    pack = zip_of if kind == "zip" else tar
    found = ingest_folder({f"a.{kind}": pack({**dict.fromkeys(BAD_NAMES, b"x"), "ok.txt": b"ok"})})
    assert list(found.texts.values()) == ["ok"]
    refused = {row["uri"].partition("!")[2]: row["error"] for row in found.quarantined}
    assert refused == {name: f"member refused: {why}" for name, why in BAD_NAMES.items()}
    assert not list(tmp_path.rglob("out.txt"))


def test_links_devices_and_the_encrypted_are_refused(ingest_folder: Ingest) -> None:
    infos = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo(f"{kind.decode()}.txt")
        info.type, info.linkname = kind, "/etc/passwd"
        infos.append(info)
    link = zipfile.ZipInfo("link.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    secret = bytearray(zip_of({"secret.txt": b"x"}))
    for at in (6, secret.index(b"PK\1\2") + 8):  # flags of both headers
        secret[at] |= 1
    found = ingest_folder(
        {"a.tar": tar({"ok.txt": b"ok"}, *infos), "b.zip": zip_of({}, link), "c.zip": bytes(secret)}
    )
    assert list(found.texts) == ["a.tar!ok.txt"]
    errors = Counter(row["error"] for row in found.quarantined)
    assert errors == {"member refused: a link or device": 5, "member refused: encrypted": 1}


def test_a_damaged_member_costs_itself(ingest_folder: Ingest) -> None:
    noise = random.Random(1).randbytes(60_000)
    data = bytearray(zip_of({"a.txt": b"one", "b.jsonl": jsonl("two") + noise, "c.txt": b"three"}))
    at = data.index(b"b.jsonl") + 2000
    data[at : at + 20] = b"\xff" * 20
    found = ingest_folder({"a.zip": bytes(data)})
    assert {"one", "three"} <= set(found.texts.values())
    assert any("damaged in the archive" in row["error"] for row in found.quarantined)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz", ".zip"])
def test_a_cut_archive_says_so(ingest_folder: Ingest, suffix: str) -> None:
    files = {f"{n}.txt": b"text %d " % n * 50 for n in range(40)}
    data = zip_of(files) if suffix == ".zip" else PACK[suffix](tar(files))
    for length in (0, 100, len(data) // 3, len(data) // 2):
        found = ingest_folder({f"a{suffix}": data[:length]})
        assert found.quarantined, length
    if suffix == ".tar":
        at_header = tar(files).index(b"20.txt")
        found = ingest_folder({"a.tar": data[:at_header]})
        assert len(found.rows) == 20
        assert found.quarantined[-1]["error"] == "the tar archive lacks its end; it was cut off"


def test_a_bomb_is_defused(ingest_folder: Ingest) -> None:
    zeros = bytes(80 << 20)
    bombs = {"a.zip": zip_of({"z.txt": zeros, "ok.txt": b"ok"}), "b.txt.gz": gzip.compress(zeros)}
    found = ingest_folder(bombs, max_unpack_ratio=100)
    assert list(found.texts.values()) == ["ok"]
    assert len(found.quarantined) == 2
    assert all("over max_unpack_ratio = 100" in row["error"] for row in found.quarantined)
    many = zip_of({f"{n}.txt": b"x" * 1000 for n in range(20)})
    found = ingest_folder({"c.zip": many}, max_unpacked_bytes=5500)
    errors = [row["error"] for row in found.quarantined if row["uri"].startswith("c.zip")]
    assert len(errors) == 15
    assert all("over max_unpacked_bytes = 5500" in error for error in errors)


def test_a_header_cannot_claim_memory(ingest_folder: Ingest) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 300 << 20
    header = info.tobuf(tarfile.USTAR_FORMAT)
    packed = gzip.compress(header + bytes(300 << 20), 1)
    tracemalloc.start()
    found = ingest_folder({"a.tar.gz": packed})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a header of" in found.quarantined[0]["error"]
    assert peak < 64 << 20


def numbered(count: int, prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{n:02d}.txt": f"text {prefix}{n} ".encode() * 70 for n in range(count)}


def starts_in(archive: bytes) -> list[int]:
    """Return where the headers of a tar archive stand."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return [info.offset for info in opened]


def test_a_damaged_tar_header_costs_its_member_and_is_told(ingest_folder: Ingest) -> None:
    """Each byte of a header flipped: what follows is read, and the loss is one record."""
    whole = tar(numbered(6))
    start = starts_in(whole)[2]
    files = {}
    for at in range(start, start + 512):
        files[f"{at}.tar"] = bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]])
    found = ingest_folder(files)
    told = {row["uri"]: (row["position"], row["error"]) for row in found.quarantined}
    error = f"the tar archive is damaged at byte {start}"
    reasons = ("bad checksum", "invalid header")
    assert set(told.values()) == {(start, f"{error} ({reason})") for reason in reasons}
    for name in files:
        members = {key.partition("!")[2] for key in found.texts if key.startswith(name)}
        lost = {"02.txt"} if name in told else set()
        assert members == set(numbered(6)) - lost, name
    assert len(told) > 500  # of some bytes, tar's checks do not look at the last bit


def test_damage_of_a_tar_that_is_no_flipped_bit_is_told(ingest_folder: Ingest) -> None:
    files = {**numbered(3), "x" * 150 + ".txt": b"long", **numbered(2, "z")}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        whole = tar(files, form=form)
        start = starts_in(whole)[3]
        for length in (512, 1536):  # the header of the long name, and all three blocks of it
            data = whole[:start] + b"?" * length + whole[start + length :]
            found = ingest_folder({"a.tar": data})
            assert len(found.quarantined) == 1
            assert len(found.rows) >= 5
        cut = whole[: start + 1024] + b"?" * 512 + whole[start + 1536 :]  # what the name is of
        found = ingest_folder({"a.tar": cut})
        assert (len(found.rows), len(found.quarantined)) == (5, 1)
    whole = tar(numbered(4))
    start = starts_in(whole)[2]
    for data in (whole[:start] + bytes(512) + whole[start + 512 :], whole + b"junk " * 300):
        assert len(ingest_folder({"a.tar": data}).quarantined) == 1
    found = ingest_folder({"a.tar": b"no archive at all " * 900})
    assert (found.rows, len(found.quarantined)) == ([], 1)


def test_archives_joined_end_to_end_are_read_whole(ingest_folder: Ingest) -> None:
    found = ingest_folder({"a.tar": tar(numbered(3)) + tar(numbered(2, "b")) + bytes(700)})
    assert len(found.rows) == 5
    assert found.quarantined == []


def streamed_zip(files: dict[str, bytes]) -> bytes:
    """Pack files as where the target cannot seek: sizes and sums stand behind the content."""

    class Pipe(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return pipe.data


def test_a_damaged_zip_directory_loses_no_member_unsaid(ingest_folder: Ingest) -> None:
    """Two bits of each byte of the directory and of its end, flipped one by one."""
    whole, files = zip_of(numbered(5)), {}
    for at in range(whole.index(b"PK\1\2"), len(whole)):
        for bit in (1, 128):
            files[f"{at}-{bit}.zip"] = bytes([*whole[:at], whole[at] ^ bit, *whole[at + 1 :]])
    found = ingest_folder(files)
    told = {row["uri"].partition("!")[0] for row in found.quarantined}
    for name in files:
        num_rows = sum(key.startswith(name) for key in found.texts)
        assert num_rows == 5 or name in told, name
    assert len(told) > 100


@pytest.mark.parametrize("pack", [zip_of, streamed_zip])
def test_a_zip_without_its_directory_is_read_by_its_members_headers(
    ingest_folder: Ingest, pack: Callable[..., bytes]
) -> None:
    last = random.Random(1).randbytes(500).hex().encode()
    whole = pack({"../out.txt": b"x", **numbered(6), "last.txt": last})
    for length in (whole.index(b"PK\1\2"), len(whole) - 10, whole.index(b"last.txt") + 200):
        found = ingest_folder({"a.zip": whole[:length]})
        assert set(numbered(6)) <= {key.partition("!")[2] for key in found.texts}
        errors = [row["error"] for row in found.quarantined]
        assert errors[0].startswith("the zip has no directory that can be read (")
        assert errors[1] == "member refused: a path that leads out of the archive"
        assert len(found.rows) == 6 + (length >= whole.index(b"PK\1\2"))
    at = whole.index(b"02.txt") + 8
    found = ingest_folder({"a.zip": whole[:at] + b"\xff" * 9 + whole[at + 9 : -10]})
    names = {key.partition("!")[2] for key in found.texts}
    assert names == {*numbered(6), "last.txt"} - {"02.txt"}


def test_what_a_zip_directory_does_not_list_is_told(ingest_folder: Ingest) -> None:
    whole, other = zip_of(numbered(3)), zip_of(numbered(2, "b"))
    for name, data, num_rows, where in (
        ("joined", other + whole, 3, (0, len(other))),
        ("before", b"#!/bin/sh\n" * 9 + whole, 3, (0, 90)),
        ("behind", whole + other[: other.index(b"PK\1\2")], 3, (len(whole), None)),
    ):
        found = ingest_folder({"a.zip": data})
        assert len(found.rows) == num_rows, name
        (row,) = found.quarantined
        start, end = where[0], len(data) if where[1] is None else where[1]
        assert row["position"] == start
        said = f"lists no member in bytes {start} to {end}; they are not read"
        assert row["error"].endswith(said)
    with zipfile.ZipFile(target := io.BytesIO(whole), "a") as archive:
        archive.comment = b"a comment " * 20
    assert ingest_folder({"a.zip": target.getvalue()}).quarantined == []
    assert ingest_folder({"a.zip": streamed_zip(numbered(3))}).quarantined == []


def test_a_member_without_a_name_is_refused(ingest_folder: Ingest) -> None:
    whole = zip_of({"a.txt": b"a text", "ZZZ": b"another"}).replace(b"ZZZ", b"\0ZZ")
    for data in (whole, whole[: whole.index(b"PK\1\2")]):
        found = ingest_folder({"a.zip": data})
        assert list(found.texts.values()) == ["a text"]
        assert found.quarantined[-1]["error"] == "member refused: a name that is none"


def test_headers_of_no_member_cost_no_more_than_the_file(ingest_folder: Ingest) -> None:
    """Each header's content would be all that follows it, and none of it ends."""
    header = b"PK\3\4" + bytes([20, 0, 8, 0, 8]) + bytes(21)
    stored = (b"\x00" + bytes([30, 0, 225, 255]) + header[:30]) * 20_000  # deflate, not compressed
    found = ingest_folder({"a.zip": stored})
    assert found.rows == []
    assert "too many headers without a member" in found.quarantined[-1]["error"]


def test_no_damage_raises_or_loses_a_record(ingest_folder: Ingest) -> None:
    """Damage that a sum covers: every document that was packed comes out, or a row says no."""
    whole = {"a.zip": zip_of(FILES), "a.tar": tar(FILES), "a.tar.gz": gzip.compress(tar(FILES))}
    with tarfile.open(fileobj=io.BytesIO(whole["a.tar"])) as archive:
        contents = [(info.offset_data, info.offset_data + info.size) for info in archive]
    touched = []

    @settings(max_examples=60)
    @given(st.sampled_from(sorted(whole)), st.floats(0, 1), st.binary(min_size=1, max_size=30))
    def check(name: str, share: float, noise: bytes) -> None:
        data = bytearray(whole[name])
        at = int(share * (len(data) - len(noise)))
        data[at : at + len(noise)] = noise
        found = ingest_folder({name: bytes(data)})
        if name != "a.tar" or not any(s < at + len(noise) and at < e for s, e in contents):
            assert found.quarantined or len(found.rows) == len(TEXTS)
        touched.append(bool(found.quarantined))

    check()
    assert sum(touched) > 2


def test_public_archives_are_read_whole(shared_data: Path, ingest_folder: Ingest) -> None:
    """Books as they were packed: one document for each file of each member."""
    path = shared_data / "peps" / "peps.tar.xz"
    found = ingest_folder({"peps.tar.xz": path.read_bytes()}, format="code")
    with tarfile.open(path) as archive:
        num_files = sum(m.isfile() and m.name.endswith(".rst") for m in archive)
    assert len(found.rows) == num_files == 751
