from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest import jsonl as jsonl_format
from pipelines.ingest import listing, local_root
from pipelines.ingest.config import ENCODING_ERRORS, IngestConfig
from pipelines.ingest.files import IGNORED
from pipelines.ingest.ingest import STEP
from pipelines.ingest.suffixes import COMPRESSIONS
from store.runs import begin_run
from store.step import Inputs
from store.storage import Storage

Ingest = Callable[..., Any]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
}


def jsonl(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def config_of(root: Path, **more: Any) -> IngestConfig:
    return IngestConfig(kind="files", path=str(root), **more)


def test_each_kind_of_file_gives_its_documents(ingest_folder: Ingest) -> None:
    found = ingest_folder(
        {
            "a.txt": b"plain",
            "poets/b.md": b"# Title\r\n\r\nbody\r\n",
            "poets/deep/C.JSONL": jsonl("one", "two") + b'\n  \n{"text": "three", "id": 9}',
            "d.jsonl.gz": gzip.compress(jsonl("zipped")),
            "e.jsonl.zst": zstandard.compress(jsonl("squeezed")),
        }
    )
    assert found.quarantined == []
    assert found.texts == {
        "a.txt": "plain",
        "poets/b.md": "# Title\n\nbody\n",
        "poets/deep/C.JSONL#1": "one",
        "poets/deep/C.JSONL#2": "two",
        "9": "three",
        "d.jsonl.gz#1": "zipped",
        "e.jsonl.zst#1": "squeezed",
    }
    by_key = {row["record_key"]: row for row in found.rows}
    assert by_key["9"]["uri"] == "poets/deep/C.JSONL"
    assert by_key["9"]["labels"] == [("folder", "poets")]
    assert by_key["a.txt"]["labels"] == []
    assert by_key["poets/b.md"]["num_repairs"] == 3
    assert {row["source"] for row in found.rows} == {"files"}


def test_hidden_files_are_left_out_and_unknown_ones_are_named(ingest_folder: Ingest) -> None:
    found = ingest_folder(
        {"a.txt": b"x", ".git/b.txt": b"x", ".c.txt": b"x", "d.pdf": b"%PDF", "sub/e.doc": b"x"}
    )
    assert list(found.texts) == ["a.txt"]
    assert found.facts["num_files_ignored"] == 2
    assert found.facts["files_ignored"] == ["d.pdf", "sub/e.doc"]
    assert IGNORED in found.keys


def test_a_clean_folder_has_no_partition_of_ignored_files(ingest_folder: Ingest) -> None:
    assert IGNORED not in ingest_folder({"a.txt": b"x"}).keys


def test_links_are_followed_within_the_folder_only(tmp_path: Path, ingest_source: Ingest) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_bytes(b"secret")
    (root / "a.txt").write_bytes(b"inside")
    (root / "sub" / "same.txt").symlink_to("../a.txt")
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "gone.txt").symlink_to("nowhere.txt")
    (root / "loop.txt").symlink_to("loop.txt")
    (root / "folder").symlink_to(outside)
    (root / "round").symlink_to(root)
    os.mkfifo(root / "pipe.txt")
    found = ingest_source(config_of(root))
    assert found.texts == {"a.txt": "inside", "sub/same.txt": "inside"}
    ignored = ["folder", "gone.txt", "loop.txt", "out.txt", "pipe.txt", "round"]
    assert found.facts["files_ignored"] == ignored


def test_a_link_that_is_the_path_is_followed(tmp_path: Path, ingest_source: Ingest) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "0a1b").write_bytes(b"the text")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "a.txt").symlink_to("../blobs/0a1b")
    found = ingest_source(config_of(tmp_path / "snapshot" / "a.txt"))
    assert found.texts == {"a.txt": "the text"}
    (tmp_path / "latest").symlink_to("blobs")
    assert ingest_source(config_of(tmp_path / "latest", format="text")).texts == {
        "0a1b": "the text"
    }


def test_a_folder_of_links_that_lead_out_of_it_is_told_so(tmp_path: Path) -> None:
    """A snapshot in the cache of Hugging Face's hub is one."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot" / "data").mkdir(parents=True)
    (tmp_path / "snapshot" / "gone.txt").symlink_to("nowhere.txt")
    for name, said in (("0a", "1 link leads out of it"), ("0b", "2 links lead out of it")):
        (tmp_path / "blobs" / name).write_bytes(b"x")
        link = tmp_path / "snapshot" / "data" / f"{name}.txt"
        link.symlink_to(f"../../blobs/{name}")
        with pytest.raises(InputError, match=rf"{said}\. Copy it .*\(cp -rL\)"):
            STEP.list_parts(config_of(tmp_path / "snapshot"))


@pytest.mark.parametrize("name", ["absent", "empty", "only-pdf"])
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "only-pdf").mkdir()
    (tmp_path / "only-pdf" / "a.pdf").write_bytes(b"x")
    with pytest.raises(InputError, match=rf"{name}.*ingest\.path\.$"):
        STEP.list_parts(config_of(tmp_path / name))


def test_a_file_alone_is_read_and_named_as_in_its_folder(
    tmp_path: Path, ingest_source: Ingest
) -> None:
    (tmp_path / "file.txt").write_bytes(b"x")
    (tmp_path / "filetxt").write_bytes(b"y")
    (tmp_path / "other.txt").write_bytes(b"y")
    assert ingest_source(config_of(tmp_path / "file.txt")).texts == {"file.txt": "x"}


def test_of_a_file_alone_the_folder_is_not_listed(
    tmp_path: Path, ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.txt").write_bytes(b"x")
    monkeypatch.setattr(os, "scandir", None)
    assert ingest_source(config_of(tmp_path / "file.txt")).texts == {"file.txt": "x"}


def test_a_glob_chooses_files_under_the_folder_before_it(
    tmp_path: Path, ingest_source: Ingest
) -> None:
    for name in ("a/x.txt", "a/b/y.txt", "c.txt", "a/z.md", "a/.h/i.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    for pattern, found in {
        "**/*.txt": ["a/b/y.txt", "a/x.txt", "c.txt"],
        "*.txt": ["c.txt"],
        "a/*": ["x.txt", "z.md"],
        "a/**/y.t?t": ["b/y.txt"],
    }.items():
        folder = "a/" if pattern == "a/**/y.t?t" or pattern == "a/*" else ""
        texts = ingest_source(config_of(tmp_path / pattern)).texts
        assert texts == {name: folder + name for name in found}
    with pytest.raises(InputError, match=r"no/\*\.txt|The folder .*no does not exist"):
        STEP.list_parts(config_of(tmp_path / "no" / "*.txt"))


def test_a_recipe_without_a_path_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"ingest\.path is empty"):
        STEP.list_parts(IngestConfig(kind="files"))


def test_the_order_in_which_the_system_lists_files_does_not_matter(
    tmp_path: Path, ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        path = tmp_path / f"sub-{number % 4}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"text %d" % number)
    first = ingest_source(config_of(tmp_path, bundles=3))
    scandir, rng = os.scandir, random.Random(7)

    def shuffled(path: Path) -> list[os.DirEntry[str]]:
        entries = list(scandir(path))
        rng.shuffle(entries)
        return entries

    monkeypatch.setattr(local_root.os, "scandir", shuffled)
    assert STEP.list_parts(config_of(tmp_path, bundles=3))
    second = ingest_source(config_of(tmp_path, bundles=3))
    assert second.rows == first.rows
    assert second.keys == first.keys == ["bundle-000", "bundle-001", "bundle-002"]


def test_a_file_that_changes_between_listing_and_reading_stops_its_partition(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl("one", "two"))
    config = config_of(tmp_path)
    (part,) = STEP.list_parts(config)
    (tmp_path / "a.jsonl").write_bytes(jsonl("one", "too"))
    with pytest.raises(InputError, match=r"a\.jsonl changed"):
        list(STEP.run(Inputs(part.key, source=part), config).rows)


def test_names_that_are_not_utf8_are_read(tmp_path: Path, ingest_source: Ingest) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_bytes(b"coffee")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert ingest_source(config_of(tmp_path)).texts == {"caf\\xe9.txt": "coffee"}


def test_ranges_give_the_same_documents_as_one_read(
    tmp_path: Path, ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"line {number} " + "x" * (number * 37 % 400) for number in range(300)]
    (tmp_path / "big.jsonl").write_bytes(jsonl(*texts).replace(b"}\n", b"}\n\n", 50)[:-1])
    whole = ingest_source(config_of(tmp_path))
    assert [row["text"] for row in whole.rows] == texts
    monkeypatch.setattr(listing, "RANGE_BYTES", 2000)
    ranged = ingest_source(config_of(tmp_path))
    assert len(ranged.keys) > 20
    assert ranged.keys[3] == "big.jsonl@0003"
    assert [row["text"] for row in ranged.rows] == texts
    keys = [row["record_key"] for row in ranged.rows]
    assert keys[0] == "big.jsonl#1"
    assert any(key.startswith("big.jsonl@0003#") for key in keys)
    assert len(set(keys)) == len(texts)


def test_a_bad_line_of_a_range_is_found_by_its_offset_in_the_file(
    tmp_path: Path, ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = jsonl("x" * 90, "y" * 90) + b"broken\n" + jsonl("z")
    (tmp_path / "a.jsonl").write_bytes(data)
    monkeypatch.setattr(listing, "RANGE_BYTES", 100)
    (bad,) = ingest_source(config_of(tmp_path)).quarantined
    assert data[bad["position"] :].startswith(b"broken")
    assert (bad["unit"], bad["raw"]) == ("byte", b"broken")


def test_the_second_record_of_a_key_is_quarantined(ingest_folder: Ingest) -> None:
    found = ingest_folder({"a.jsonl": b'{"text": "one", "id": 1}\n{"text": "two", "id": "1"}\n'})
    assert found.texts == {"1": "one"}
    (bad,) = found.quarantined
    assert "came before" in bad["error"]
    assert bad["position"] == 25


def test_files_that_are_not_text_are_quarantined_with_the_place(ingest_folder: Ingest) -> None:
    source = {"bad.txt": b"caf\xe9", "empty.txt": b"", "nul.md": b"\0\0", "ok.txt": b"ok"}
    found = ingest_folder(source)
    assert found.texts == {"ok.txt": "ok"}
    bad = {row["uri"]: row for row in found.quarantined}
    assert (bad["bad.txt"]["position"], bad["bad.txt"]["error"]) == (3, "not UTF-8: byte 0xe9")
    assert bad["empty.txt"]["error"] == bad["nul.md"]["error"] == "empty text"
    repaired = ingest_folder(source, encoding_errors="repair")
    assert repaired.texts == {"bad.txt": "caf\ufffd", "ok.txt": "ok"}
    assert [r["num_repairs"] for r in repaired.rows if r["uri"] == "bad.txt"] == [1]


def test_a_record_over_the_limit_is_quarantined_and_the_rest_read(ingest_folder: Ingest) -> None:
    long = jsonl("x" * 5000)
    found = ingest_folder(
        {"a.jsonl": jsonl("one") + long + jsonl("two"), "b.txt": b"y" * 1001, "c.txt": b"y" * 1000},
        max_record_bytes=1000,
    )
    assert list(found.texts.values()) == ["one", "two", "y" * 1000]
    errors = {row["uri"]: row["error"] for row in found.quarantined}
    assert (
        errors["a.jsonl"] == f"the record has {len(long) - 1} bytes, over max_record_bytes = 1000"
    )
    assert errors["b.txt"] == "the file has 1001 bytes, over max_record_bytes = 1000"
    assert all(row["raw"] for row in found.quarantined)


@pytest.mark.slow
def test_a_line_of_a_gigabyte_costs_itself_and_no_memory(
    tmp_path: Path, ingest_source: Ingest
) -> None:
    first, start, end = jsonl("before"), b'{"text": "', b'"}\n'
    part = random.Random(4).randbytes(2048).hex().encode() * 4096  # 16 MiB
    members = [first + start, *[part] * 64, end + jsonl("after")]
    packed = {member: gzip.compress(member, 1) for member in members}
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(packed[member] for member in members))
    tracemalloc.start()
    found = ingest_source(config_of(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.texts == {"a.jsonl.gz#1": "before", "a.jsonl.gz#3": "after"}
    (bad,) = found.quarantined
    num_bytes = len(start) + (1 << 30) + len(end) - 1
    assert bad["error"] == f"the record has {num_bytes} bytes, over max_record_bytes = 67108864"
    assert (bad["uri"], bad["position"], bad["unit"]) == ("a.jsonl.gz", len(first), "byte")
    assert bad["raw"] == (start + part)[:256]
    assert peak < 96 << 20


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_cut_file_keeps_its_lines_and_quarantines_the_rest(
    ingest_folder: Ingest, suffix: str
) -> None:
    rng = random.Random(3)
    texts = [f"{number} {rng.random()}" for number in range(20_000)]
    packed = PACK[suffix](jsonl(*texts))
    found = ingest_folder({f"a.jsonl{suffix}": packed[: len(packed) // 2]})
    kept = [row["text"] for row in found.rows]
    assert kept == texts[: len(kept)]
    assert len(kept) > 5000
    (bad,) = found.quarantined
    assert bad["error"] == f"cut off at byte {len(packed) // 2} of the compressed file"
    assert bad["position"] == len(jsonl(*kept))
    if suffix == ".gz":
        oracle = zlib.decompressobj(31).decompress(packed[: len(packed) // 2])
        assert len(kept) == oracle.count(b"\n")
        assert bad["raw"] == oracle.rpartition(b"\n")[2][:256]


def test_a_break_between_lines_counts_as_one_record(ingest_folder: Ingest) -> None:
    whole = gzip.compress(jsonl("one", "two"))
    found = ingest_folder({"a.jsonl.gz": whole + b"garbage", "b.jsonl.gz": b""})
    assert list(found.texts.values()) == ["one", "two"]
    errors = {row["uri"]: row["error"] for row in found.quarantined}
    assert "incorrect header" in errors["a.jsonl.gz"]
    assert errors["b.jsonl.gz"] == "cut off at byte 0 of the compressed file"
    assert found.framed == 4


GOOD = b'{"text": "a"}'
NAMED = b'{"text":"b","id":1}'
OTHERS = [
    NAMED,
    b"{}",
    b"\xff",
    b" ",
    b"\x0c",
    b"\r",
    b"[",
    b"1",
    b'{"text": "' + b"x" * 20 + b'"}',
]
LINE = st.just(GOOD) | st.sampled_from(OTHERS) | st.binary(max_size=12)
BLOBS = st.lists(LINE).map(b"\n".join)


def test_no_record_is_lost_whatever_the_bytes(tmp_path: Path, ingest_source: Ingest) -> None:
    touched: Counter[str] = Counter()

    @example(GOOD + b"\n[", "", 0, "quarantine")  # so that each case is touched in every run
    @example(GOOD + b"\n[", ".gz", 4, "repair")
    @given(BLOBS, st.sampled_from(list(PACK)), st.integers(0, 30), st.sampled_from(ENCODING_ERRORS))
    def check(blob: bytes, suffix: str, num_cut: int, errors: str) -> None:
        data = PACK[suffix](blob)
        data = data[: len(data) - num_cut]
        path = tmp_path / f"a.jsonl{suffix}"
        path.write_bytes(data)
        # Reading checks that framed = kept + quarantined.
        found = ingest_source(config_of(tmp_path, encoding_errors=errors, max_record_bytes=20))
        path.unlink()
        touched["kept"] += len(found.rows)
        touched["quarantined"] += len(found.quarantined)
        if suffix and num_cut:
            touched["cut"] += 1
            assert found.quarantined
        else:
            lines = (blob if suffix else data).split(b"\n")
            assert found.framed == sum(bool(line.strip()) for line in lines)
            good = sum(line.strip() == GOOD and len(line) <= 20 for line in lines)
            assert good <= len(found.rows) <= good + 1  # the declared id counts once
            touched["good"] += good

    check()
    assert min(touched[name] for name in ("kept", "good", "quarantined", "cut")) > 0, touched


def test_a_parser_that_loses_a_record_is_noticed(
    tmp_path: Path, ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl("one", "two", "three"))
    assert ingest_source(config_of(tmp_path)).framed == 3
    whole = jsonl_format.LineFramer.pieces

    def lossy(framer: Any, blocks: Any) -> Any:
        return (line for line in whole(framer, blocks) if b"two" not in line.data)

    monkeypatch.setattr(jsonl_format.LineFramer, "pieces", lossy)
    with pytest.raises(AssertionError):
        ingest_source(config_of(tmp_path))


@pytest.mark.parametrize("name", ["blns.txt", "blns.json", "blns.base64.txt"])
def test_naughty_strings_come_through(shared_data: Path, ingest_folder: Ingest, name: str) -> None:
    data = (shared_data / "naughty-strings" / name).read_bytes()
    strings = json.loads((shared_data / "naughty-strings" / "blns.json").read_bytes())
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in strings)
    found = ingest_folder({"whole.txt": data, "each.jsonl": lines, "raw.jsonl": data})
    assert found.framed > 1 + len(strings)
    kept = [row["text"] for row in found.rows if row["uri"] == "each.jsonl"]
    assert len(kept) > 450


def test_invalid_utf8_is_placed_and_repaired_as_python_does(
    shared_data: Path, ingest_folder: Ingest
) -> None:
    data = (shared_data / "utf8tests" / "utf8tests.bin").read_bytes()
    found = ingest_folder({"a.txt": data})
    (bad,) = found.quarantined
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode()
    assert bad["position"] == caught.value.start
    repaired = ingest_folder({"a.txt": data}, encoding_errors="repair")
    (text,) = repaired.texts.values()
    assert text.count("\ufffd") == data.decode("utf-8", "replace").count("\ufffd") > 100


def test_every_compression_of_every_format_is_read(ingest_folder: Ingest) -> None:
    packs = {**PACK, ".bz2": bz2.compress, ".xz": lzma.compress}
    assert set(packs) == {"", *COMPRESSIONS}
    texts = {".txt": b"t", ".md": b"t", ".jsonl": jsonl("t"), ".ndjson": jsonl("t")}
    found = ingest_folder(
        {f"a{s}{p}": pack(data) for s, data in texts.items() for p, pack in packs.items()}
    )
    assert [row["text"] for row in found.rows] == ["t"] * (len(texts) * len(packs))


def test_a_home_within_the_source_is_no_source(tmp_path: Path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "notes.txt").write_text("a folder may be called so")
    begin_run(Storage(str(tmp_path / "home")), "my-text", {}, "first")
    (tmp_path / "home" / "texts.jsonl").write_text('{"text": "of a run"}')
    parts = STEP.list_parts(config_of(tmp_path))
    assert sorted(file.path for part in parts for file in part.files) == [
        "a.txt",
        "home/",
        "runs/notes.txt",
    ]


@pytest.mark.parametrize("record", ["{}", "[]", "{", '{"name": "other", "steps": 3}'])
def test_a_folder_that_is_like_a_home_is_read(ingest_folder: Ingest, record: str) -> None:
    found = ingest_folder({"crawl/runs/exp/run.json": record.encode(), "crawl/a.txt": b"text"})
    assert "crawl/a.txt" in found.texts
    assert {row["uri"] for row in found.rows + found.quarantined} <= {
        "crawl/a.txt",
        "crawl/runs/exp/run.json",
    }
    assert found.facts.get("num_files_ignored", 0) == 0
