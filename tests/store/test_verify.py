"""`store.verify`: any flipped byte is found, and what is set aside can be made anew."""

import json
import os
from dataclasses import replace

import pytest
from toy_steps import (
    computed,
    digests,
    record_run,
    run_graph,
    store_files,
    toy_graph,
    write_corpus,
    write_file,
)

from store.accepted import accept, accepted_name, accepted_runs
from store.datasets import Dataset, Slice, manifest_name, part_name, read_receipt, sealed
from store.errors import OtherFormat, StoreError
from store.runs import find_run, run_name
from store.storage import Storage
from store.verify import verify
from store.verify_report import format_report

STEP = 97  # bytes between two flipped ones
FOLDERS = ("datasets", "parts", "quarantine")


@pytest.fixture
def results(home, corpus):
    """A home that holds one finished run."""
    results = run_graph(home, toy_graph(corpus))
    record_run(home, "nightly", results)
    return results


def names_of(storage, folder="", suffix=""):
    return [name for name, _, _ in storage.list(folder) if name.endswith(suffix)]


def flip(storage, name, position, mask=0x01):
    data = bytearray(storage.read(name))
    data[position] ^= mask
    storage.replace(name, bytes(data), durable=False)


def kinds(report):
    return [(finding.kind, finding.name) for finding in report.findings]


def test_a_home_as_it_was_written_has_no_findings(home, results):
    report = verify(home, deep=True)
    assert report.findings == ()
    assert not report.is_damaged()
    assert (report.num_partitions, report.num_manifests, report.num_runs) == (20, 7, 1)
    stored = sum(size for folder in FOLDERS for _, size, _ in home.list(folder))
    assert report.size_bytes == stored
    told = format_report(report)
    assert told.startswith("20 partitions, 7 datasets and 1 run, ")
    assert told.endswith("kB: all as written.")


def test_an_absent_home_has_nothing_wrong_with_it(tmp_path):
    report = verify(Storage(str(tmp_path / "none")))
    assert (report.num_partitions, report.findings) == (0, ())


def test_any_flipped_byte_in_any_file_is_found(home, quick_path):
    run_graph(home, toy_graph(write_corpus(quick_path / "few", 2, 5), num_buckets=2))
    names = [name for folder in FOLDERS for name in names_of(home, folder)]
    flipped = dict.fromkeys(names, 0)
    for name in names:
        data = home.read(name)
        for position in {*range(len(name) % STEP, len(data), STEP), 0, len(data) - 1}:
            flip(home, name, position, mask=1 + position % 255)
            report = verify(home, steps={name.split("/")[1]})
            assert ("damaged", name) in kinds(report), (name, position)
            assert report.is_damaged()
            home.replace(name, data, durable=False)
            flipped[name] += 1
    assert {name.split("/")[0] for name in names} == set(FOLDERS)
    assert min(flipped.values()) >= 5
    assert verify(home).findings == ()


def test_white_space_in_a_sealed_file_is_a_byte_too(home, results):
    for name in [names_of(home, "parts", ".json")[0], names_of(home, "datasets")[0]]:
        data = home.read(name)
        home.replace(name, data.replace(b"\n ", b" \n", 1))
        assert kinds(verify(home)) == [("damaged", name)]
        home.replace(name, data)


@pytest.mark.parametrize("how", ["cut", "emptied", "longer", "swapped"])
def test_files_of_another_length_or_place_are_found(home, results, how):
    for folder in FOLDERS:
        for suffix in (".json", ".parquet"):
            for name in names_of(home, folder, suffix)[:1]:
                data = home.read(name)
                others = [n for n in names_of(home, folder, suffix) if n != name]
                other = {"cut": data[:-1], "emptied": b"", "longer": data + b"\0"}
                home.replace(name, other[how] if how in other else home.read(others[0]))
                assert kinds(verify(home)) == [("damaged", name)]
                home.replace(name, data)


def test_what_is_missing_is_found(home, results):
    step = results["read_lines"].dataset
    receipt = step.parts[0]
    for name in (receipt.data_name(), receipt.quarantine_name()):
        data = home.read(name)
        home.delete(name)
        report = verify(home)
        assert kinds(report) == [("missing", name)]
        assert "`millrace verify --repair` sets the rest" in report.findings[0].sentence
        assert report.is_damaged()
        home.replace(name, data)
    name = part_name("read_lines", receipt.fingerprint, ".json")
    home.delete(name)
    orphans = [("orphan", receipt.data_name()), ("orphan", receipt.quarantine_name())]
    report = verify(home, repair=True)
    assert kinds(report) == [*orphans, ("missing", name)]
    assert report.findings[-1].sentence.endswith("names it; run again to have it made anew.")
    assert report.is_damaged()  # nothing is there to be set aside
    assert format_report(report).endswith("1 missing, 2 orphan.")


def test_a_manifest_that_a_run_names_must_be_there(home, results):
    name = manifest_name("decide_lines", results["decide_lines"].dataset.fingerprint)
    home.delete(name)
    report = verify(home)
    assert kinds(report) == [("missing", name)]
    assert "the run nightly names it" in report.findings[0].sentence
    assert verify(home, steps={"read_lines"}).findings == ()


def test_a_record_that_is_not_a_run_is_found_and_set_aside(home, results):
    for data in (b"{", b"{}", b"[]"):
        home.replace(run_name("nightly"), data)
        assert kinds(verify(home)) == [("damaged", run_name("nightly"))]
    verify(home, repair=True)
    assert verify(home).findings == ()
    assert home.read(f"damaged/{run_name('nightly')}") == b"[]"


@pytest.mark.parametrize("folder", ["parts", "datasets"])
def test_a_home_of_another_version_is_not_called_damaged(home, results, folder, monkeypatch):
    before = store_files(home)
    monkeypatch.setattr("store.datasets.FORMAT", 2)
    if folder == "datasets":  # receipts are read first
        monkeypatch.setattr("store.verify._check_parts", lambda *_: iter(()))
    with pytest.raises(OtherFormat, match="is in format 1, and this Millrace reads format 2: use"):
        verify(home, repair=True)
    assert store_files(home) == before


def test_an_acceptance_that_is_none_is_found_and_set_aside(home, results):
    name = accepted_name("nightly")
    accept(home, replace(find_run(home, "nightly"), state="done"), "ann")
    assert verify(home).findings == ()
    home.replace(name, home.read(name).replace(b'"comment"', b'"cxmment"'))
    assert kinds(verify(home)) == [("damaged", name)]
    verify(home, repair=True)
    assert verify(home).findings == ()
    assert list(accepted_runs(home)) == []


def test_what_a_killed_run_leaves_is_no_damage(home, results):
    fingerprint = "0" * 40
    orphans = [f"parts/read_lines/{fingerprint}.parquet", f"quarantine/x/{fingerprint}.parquet"]
    for name in orphans:
        home.create(name, b"half")
    report = verify(home, repair=True)
    assert sorted(kinds(report)) == [("orphan", name) for name in orphans]
    assert not report.is_damaged()
    assert all(home.exists(name) for name in orphans)
    assert "gc --delete" in report.findings[0].sentence


def test_files_that_are_not_the_stores_are_told_and_left(home, results):
    for name in ("parts/notes.txt", "parts/read_lines/x.parquet", "datasets/a/b/c.json", "runs/x"):
        home.create(name, b"mine")
    report = verify(home, repair=True)
    assert {kind for kind, _ in kinds(report)} == {"unknown"}
    assert len(report.findings) == 4
    assert not report.is_damaged()
    assert home.read("parts/notes.txt") == b"mine"


def damage_rows(home, results):
    name = results["measure_lines"].dataset.parts[1].data_name()
    flip(home, name, 30)
    return name


def damage_receipt(home, results):
    part = results["bucket_lines"].dataset.parts[0]
    name = part_name(part.step, part.fingerprint, ".json")
    flip(home, name, 200)
    return name


def damage_quarantine(home, results):
    name = results["read_lines"].dataset.parts[2].quarantine_name()
    flip(home, name, -5)
    return name


def damage_manifest(home, results):
    name = manifest_name("choose_lines", results["choose_lines"].dataset.fingerprint)
    flip(home, name, 10)
    return name


def lose_rows(home, results):
    name = results["write_lines"].dataset.parts[0].data_name()
    home.delete(name)
    return name


DAMAGES = [damage_rows, damage_receipt, damage_quarantine, damage_manifest, lose_rows]


def joined_names(damages):
    return "-".join(damage.__name__ for damage in damages)


@pytest.mark.parametrize("damages", [*([one] for one in DAMAGES), DAMAGES], ids=joined_names)
def test_repair_sets_aside_and_the_next_run_makes_the_same_anew(home, corpus, results, damages):
    before = store_files(home)
    damaged = {name: home.read(name) for name in before}
    names = [damage(home, results) for damage in damages]
    damaged |= {name: home.read(name) for name in names if home.exists(name)}
    found = verify(home)
    report = verify(home, repair=True)
    assert {f.name for f in report.findings if f.kind in ("damaged", "missing")} >= set(names)
    assert len(found.findings) == len(report.findings)
    assert (found.is_damaged(), report.is_damaged()) == (True, False)
    assert format_report(report).endswith("set aside; run again to have it made anew.")
    assert "set aside;" not in format_report(found)
    moved = [name for finding in report.findings for name in finding.moved_to]
    assert moved
    for name in moved:  # nothing is deleted
        assert home.read(name) == damaged[name.removeprefix("damaged/")]
        assert not home.exists(name.removeprefix("damaged/"))
    assert all("set aside" in f.sentence for f in report.findings if f.moved_to)
    assert not any(kind == "damaged" for kind, _ in kinds(verify(home)))

    again = run_graph(home, toy_graph(corpus))
    assert digests(again) == digests(results)
    assert sum(computed(again).values()) == len({n for n in names if not n.startswith("datasets")})
    assert store_files(home) == before
    assert verify(home, deep=True).findings == ()


def test_a_repair_says_what_it_could_not_set_aside(home, results):
    damage_rows(home, results)
    home.delete(
        part_name("read_lines", results["read_lines"].dataset.parts[0].fingerprint, ".json")
    )
    report = verify(home, repair=True)
    assert report.is_damaged()
    assert format_report(report).splitlines()[-1].startswith("Of 2 findings 1 could not")


def test_what_is_damaged_twice_is_kept_twice(home, corpus, results):
    name = damage_rows(home, results)
    first = home.read(name)
    verify(home, repair=True)
    run_graph(home, toy_graph(corpus))
    flip(home, name, 50)
    second = home.read(name)
    verify(home, repair=True)
    assert home.read(f"damaged/{name}") == first
    assert home.read(f"damaged/{name}.1") == second


def forge(home, receipt):
    """Write a receipt that says something else, sealed as if it were true."""
    name = part_name(receipt.step, receipt.fingerprint, ".json")
    value = json.loads(home.read(name))
    body = {key: item for key, item in value.items() if key not in ("seal", "format")}
    changes = {"digest": receipt.digest, "slices": {k: vars(s) for k, s in receipt.slices.items()}}
    home.replace_json(name, sealed({**body, **changes, "num_rows": receipt.num_rows}))


def test_deep_reads_the_rows_and_compares_their_content(home, results):
    part = results["bucket_lines"].dataset.parts[0]
    name, first = part.data_name(), next(iter(part.slices))
    other = Slice(**{**vars(part.slices[first]), "digest": "0" * 40})
    forged = {
        "other rows than": replace(part, digest="0" * 40),
        "other rows in slice": replace(part, slices={**part.slices, first: other}),
        "holds other rows": replace(part, num_rows=part.num_rows + 1),
    }
    for words, receipt in forged.items():
        forge(home, receipt)
        about_rows = [f for f in verify(home).findings if f.name == name]
        assert about_rows == []
        (finding,) = [f for f in verify(home, deep=True).findings if f.name == name]
        assert words in finding.sentence
    forge(home, part)
    assert verify(home, deep=True).findings == ()


def test_a_manifest_that_disagrees_with_its_receipts_is_damaged(home, results):
    dataset = results["decide_lines"].dataset
    name = manifest_name("decide_lines", dataset.fingerprint)
    good = json.loads(home.read(name))
    body = {key: item for key, item in good.items() if key not in ("seal", "format")}
    forged = [
        {**body, "digest": "0" * 40},
        {**body, "rows": {**body["rows"], "kept": 99}},
        {**body, "parts": body["parts"][::-1]},
        {**body, "parts": body["parts"][:-1]},
        {**body, "step": "other"},
    ]
    for value in forged:
        home.replace_json(name, sealed(value))
        assert kinds(verify(home)) == [("damaged", name)]


def test_progress_counts_the_bytes_of_partitions(home, results):
    told = []
    verify(home, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 20
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 0


def test_steps_narrow_what_is_looked_at(home, results):
    damage_rows(home, results)
    assert not verify(home, steps={"read_lines", "decide_lines"}).is_damaged()
    report = verify(home, steps={"measure_lines"})
    assert report.is_damaged()
    assert (report.num_partitions, report.num_manifests) == (3, 1)


def test_a_report_is_json_and_one_line_for_each_finding(home, results):
    damage_rows(home, results)
    damage_manifest(home, results)
    report = verify(home)
    assert json.loads(json.dumps(report.plain())) == report.plain()
    assert len(report.plain()["findings"]) == 2
    lines = format_report(report).splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("2 damaged.")
    for finding in report.findings:
        assert finding.name in finding.sentence
        assert finding.sentence.count("--repair") == 1


def test_a_home_in_a_bucket_is_verified_and_repaired(quick_path):
    home = Storage(f"memory://verify/{os.getpid()}")
    folder = write_corpus(quick_path / "few", 2, 5)
    first = run_graph(home, toy_graph(folder, num_buckets=2))
    assert verify(home, deep=True).findings == ()
    name = damage_rows(home, first)
    data = home.read(name)
    (finding,) = verify(home, repair=True).findings
    assert home.read(f"damaged/{name}") == data
    assert len(finding.moved_to) == 2
    assert digests(run_graph(home, toy_graph(folder, num_buckets=2))) == digests(first)
    assert verify(home).findings == ()


def test_a_bucket_out_of_reach_says_nothing_about_files(quick_path, monkeypatch):
    home = Storage(f"memory://unreachable/{os.getpid()}")
    run_graph(home, toy_graph(write_corpus(quick_path / "few", 1, 3), num_buckets=1))

    def fail(self, name):
        with self.explained("read", name):
            raise ConnectionError("no route")

    monkeypatch.setattr(Storage, "read", fail)
    before = names_of(home)
    with pytest.raises(StoreError, match="no route"):
        verify(home, repair=True)
    assert names_of(home) == before


def test_a_second_run_may_go_on_beside_it(home, corpus, results):
    """Files written since the listing are not looked at, and none is called missing."""
    write_file(corpus, 3)
    seen = []
    verify(home, progress=lambda *_: seen or seen.append(run_graph(home, toy_graph(corpus))))
    assert seen
    assert verify(home).findings == ()
    dataset = Dataset("read_lines", seen[0]["read_lines"].dataset.parts)
    assert read_receipt(home, "read_lines", dataset.parts[3].fingerprint) == dataset.parts[3]
