"""`store.gc`: exactly what no run needs goes, and a collection may be killed at any moment."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from toy_steps import (
    age,
    computed,
    digests,
    record_run,
    run_graph,
    store_files,
    toy_graph,
    write_corpus,
    write_file,
)

from store.datasets import manifest_name
from store.errors import Damaged, UsageError
from store.gc import GcReport, Share, collect_garbage, format_report
from store.inventory import take_inventory
from store.lease import Leases
from store.runs import begin_run, find_run, list_runs, run_name, save_run
from store.storage import Storage
from store.verify import verify


@pytest.fixture
def two_runs(home, corpus):
    """A home with an old and a new run, of different files and thresholds, all hours old."""
    first = run_graph(home, toy_graph(corpus))
    record_run(home, "first", first, started_at="2024-01-01T00:00:00+00:00")
    write_file(corpus, 3)
    second = run_graph(home, toy_graph(corpus, min_chars=9))
    record_run(home, "second", second, started_at="2024-01-02T00:00:00+00:00")
    age(home)
    return first, second


@pytest.fixture
def needed(two_runs, corpus, quick_path):
    """The oracle: what a home that only ever saw the second run holds."""
    alone = Storage(str(quick_path / "alone"))
    assert digests(run_graph(alone, toy_graph(corpus, min_chars=9))) == digests(two_runs[1])
    return store_files(alone)


def names(storage):
    return {name for name, _, _ in storage.list("") if not name.startswith("leases/")}


def test_what_runs_name_is_never_garbage(home, two_runs):
    before = names(home)
    report = collect_garbage(home, delete=True)
    assert (report.total, report.num_deleted, report.stopped) == (Share(), 0, None)
    assert names(home) == before
    inventory = take_inventory(home)
    assert report.kept.num_files == sum(
        len(inventory.files_of(one)) for one in inventory.partitions()
    )


def test_what_is_left_is_exactly_what_the_kept_run_needs(home, two_runs, needed, corpus):
    before = names(home)
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert store_files(home) == needed
    gone = before - names(home)
    assert report.num_deleted == report.total.num_files == len(gone) > 10
    assert [run.name for run in list_runs(home)] == ["second"]
    assert report.others == {"runs": Share(1, report.others["runs"].size_bytes)}
    assert set(report.steps) == {name.split("/")[1] for name in gone} - {"first"}
    assert computed(run_graph(home, toy_graph(corpus, min_chars=9))) == {}
    assert verify(home, deep=True).findings == ()
    assert collect_garbage(home, delete=True, keep_runs=1).total == Share()


def test_a_dry_run_tells_the_same_and_deletes_nothing(home, two_runs):
    before = {name: home.read(name) for name in names(home)}
    sizes = {name: len(data) for name, data in before.items()}
    dry = collect_garbage(home, keep_runs=1)
    assert {name: home.read(name) for name in names(home)} == before
    assert dry.num_deleted == 0
    assert "--delete" in format_report(dry)
    wet = collect_garbage(home, delete=True, keep_runs=1)
    assert format_report(wet).endswith(f"{wet.num_deleted} files were deleted.")
    assert (dry.steps, dry.others, dry.kept) == (wet.steps, wet.others, wet.kept)
    assert wet.total.size_bytes == sum(sizes[name] for name in set(sizes) - names(home))


def test_a_report_has_sizes_and_counts_that_people_read():
    steps = {
        "a": Share(1, 999),
        "b": Share(2, 1000),
        "c": Share(0, 999_949),
        "d": Share(3, 999_950),
    }
    report = GcReport(steps=steps, kept=Share(9, 2_500_000_000), num_deleted=1)
    lines = [line.split() for line in format_report(report).splitlines()]
    assert lines[:4] == [
        ["a", "1", "file", "999", "B"],
        ["b", "2", "files", "1.0", "kB"],
        ["c", "0", "files", "999.9", "kB"],
        ["d", "3", "files", "1.0", "MB"],
    ]
    assert lines[5] == ["kept", "9", "files", "2.5", "GB"]
    assert lines[6] == ["1", "file", "was", "deleted."]


def test_partitions_without_any_run_are_garbage_when_they_are_old(home, corpus):
    run_graph(home, toy_graph(corpus))
    before = names(home)
    assert collect_garbage(home, delete=True).total == Share()  # too young
    age(home, seconds=3000)
    assert collect_garbage(home, delete=True).total == Share()
    assert names(home) == before
    age(home, seconds=1000)
    report = collect_garbage(home, delete=True)
    assert report.total.num_files == len(before)
    assert not names(home)


def test_one_young_manifest_keeps_all_that_it_names(home, two_runs):
    first, _ = two_runs
    kept = first["decide_lines"].dataset
    name = manifest_name("decide_lines", kept.fingerprint)
    os.utime(home.local_path(name))
    collect_garbage(home, delete=True, keep_runs=1)
    assert all(home.exists(part.data_name()) for part in kept.parts)
    assert verify(home).findings == ()


@pytest.mark.parametrize("folder", ["parts", "quarantine"])
def test_one_young_file_keeps_its_partition(home, corpus, folder):
    run_graph(home, toy_graph(corpus))
    age(home)
    (name, *_), *_ = home.list(f"{folder}/read_lines")
    os.utime(home.local_path(name))
    collect_garbage(home, delete=True)
    stem = Path(name).stem
    assert names(home) == {
        f"parts/read_lines/{stem}.json",
        f"parts/read_lines/{stem}.parquet",
        f"quarantine/read_lines/{stem}.parquet",
    }
    assert verify(home).findings == ()


# Which runs are kept.


def record(storage, name, day, state="done", recipe="toy"):
    return record_run(
        storage, name, {}, state, recipe, started_at=f"2024-01-{day:02d}T00:00:00+00:00"
    )


def kept_runs(storage, keep_runs):
    collect_garbage(storage, delete=True, keep_runs=keep_runs)
    return [run.name for run in list_runs(storage)]


def test_runs_are_kept_by_recipe_newest_finished_first(home):
    for day, state in enumerate(["done", "failed", "done", "crashed", "done", "failed"], 1):
        record(home, f"a{day}", day, state)
    for day in range(1, 4):
        record(home, f"b{day}", day, recipe="other")
    home.create("runs/a1/report.txt", b"x")
    age(home)
    assert kept_runs(home, None) == ["a1", "b1", "a2", "b2", "a3", "b3", "a4", "a5", "a6"]
    assert kept_runs(home, 2) == ["b2", "a3", "b3", "a4", "a5", "a6"]
    assert not home.exists("runs/a1/report.txt")
    assert kept_runs(home, 1) == ["b3", "a5", "a6"]


def test_a_recipe_that_never_finished_keeps_its_runs(home):
    for day in (1, 2):
        record(home, f"a{day}", day, "failed")
    age(home)
    assert kept_runs(home, 1) == ["a1", "a2"]


def test_keeping_no_run_is_a_wrong_use(home):
    with pytest.raises(UsageError, match="keep_runs is 0"):
        collect_garbage(home, keep_runs=0)


# What stops it.


def test_nothing_goes_while_a_run_is_alive(home, two_runs):
    before = names(home)
    run = begin_run(home, "toy", {}, "third")
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert "Run third is at work" in report.stopped
    assert report.stopped in format_report(report)
    assert report.num_deleted == 0
    assert report.total.num_files > 0
    assert names(home) == before | {run_name("third")}
    save_run(home, replace(run, process_started="0"))  # it was killed
    assert collect_garbage(home, delete=True, keep_runs=1).stopped is None


def test_a_run_on_another_host_is_taken_to_be_alive(home, two_runs):
    save_run(home, replace(begin_run(home, "toy", {}, "third"), host="elsewhere", pid=1))
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert "on elsewhere" in report.stopped
    assert "delete runs/third/run.json if it is not" in report.stopped


def test_nothing_goes_while_a_partition_is_computed(home, two_runs):
    before = names(home)
    with Leases(home) as leases:
        lease = leases.try_acquire("f" * 40)
        report = collect_garbage(home, delete=True, keep_runs=1)
        assert f"Process {os.getpid()}" in report.stopped
        assert names(home) == before
        lease.release()
        assert collect_garbage(home, delete=True, keep_runs=1).stopped is None


def test_a_run_that_begins_meanwhile_stops_it(home, two_runs, monkeypatch, corpus):
    monkeypatch.setattr("store.gc._CHUNK_FILES", 2)
    deleted = []

    def delete(self, name, really=Storage.delete):
        really(self, name)
        deleted.append(name)
        if len(deleted) == 5:
            begin_run(home, "toy", {}, "third")

    monkeypatch.setattr(Storage, "delete", delete)
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert "third" in report.stopped
    assert 5 <= report.num_deleted <= 6 < report.total.num_files
    assert not verify(home).is_damaged()


def test_a_run_that_began_and_ended_meanwhile_stops_it(home, two_runs, monkeypatch):
    """It found all fresh, so that nothing of what it stands on is young."""

    def inventory(storage, really=take_inventory):
        found = really(storage)
        record_run(home, "third", two_runs[0])
        return found

    monkeypatch.setattr("store.gc.take_inventory", inventory)
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert report.stopped == (
        "Run third has begun meanwhile, so nothing more was deleted; try again."
    )
    assert report.num_deleted == 0
    assert not verify(home).is_damaged()


def test_a_run_that_waits_for_a_person_is_kept_however_old(home, two_runs):
    save_run(home, replace(find_run(home, "first"), state="waiting"))
    age(home)
    assert collect_garbage(home, delete=True, keep_runs=1).total == Share()


def test_what_a_killed_step_goes_on_from_is_kept_for_a_week(home, two_runs):
    name = "tmp/work/pretrain/0123/checkpoints/step-10/model.safetensors"
    home.create(name, b"hours of training")
    age(home)
    assert collect_garbage(home, delete=True).total == Share()
    age(home, 8 * 86400)
    assert collect_garbage(home, delete=True).others == {"leftovers": Share(1, 17)}
    assert not home.exists(name)


def test_a_run_whose_record_cannot_be_read_stops_it(home, two_runs):
    home.replace(run_name("second"), b"{}")
    before = names(home)
    with pytest.raises(Damaged, match=r"runs/second/run\.json"):
        collect_garbage(home, delete=True)
    assert names(home) == before


@pytest.mark.parametrize("damage", ["lost", "flipped"])
def test_of_a_manifest_that_cannot_be_read_the_whole_step_is_kept(home, two_runs, damage):
    _, second = two_runs
    name = manifest_name("decide_lines", second["decide_lines"].dataset.fingerprint)
    if damage == "lost":
        home.delete(name)
    else:
        home.replace(name, home.read(name).replace(b"part-00", b"part-09"))
    age(home)
    before = {n for n in names(home) if n.startswith("parts/decide_lines")}
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert report.num_deleted > 0
    assert {n for n in names(home) if n.startswith("parts/decide_lines")} == before
    assert len(report.notes) == 1
    assert name in report.notes[0]


# What else goes.


def test_orphans_and_leftovers_go_and_strangers_stay(home, two_runs):
    orphans = [f"parts/x/{'1' * 40}.parquet", f"quarantine/x/{'2' * 40}.parquet"]
    leftovers = ["tmp/123-abc/rows.parquet", "parts/x/.tmp-0123"]
    strangers = ["notes.txt", "parts/notes.txt", "runs/notes.txt", "datasets/x/y.json"]
    for name in [*orphans, *leftovers, *strangers]:
        path = Path(home.url, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    age(home)
    report = collect_garbage(home, delete=True)
    assert report.steps == {"x": Share(2, 10)}
    assert report.others == {"leftovers": Share(2, 10)}
    assert not any(Path(home.url, name).exists() for name in [*orphans, *leftovers])
    assert all(home.exists(name) for name in strangers)


def test_what_was_set_aside_goes_only_when_asked(home, two_runs):
    home.create(f"damaged/parts/x/{'1' * 40}.parquet", b"12345")
    age(home)
    assert collect_garbage(home, delete=True).total == Share()
    assert collect_garbage(home, delete=True, damaged=True).others == {"damaged": Share(1, 5)}
    assert not list(home.list("damaged"))


def test_checks_go_with_what_they_are_about(home, two_runs):
    first, second = two_runs
    gone = first["decide_lines"].dataset
    kept = second["decide_lines"].dataset
    checks = {
        "code/decide_lines/gone": {"step": "decide_lines", "part": gone.parts[0].fingerprint},
        "code/decide_lines/kept": {"step": "decide_lines", "part": kept.parts[0].fingerprint},
        "contract/gone": {"step": "decide_lines", "dataset": gone.fingerprint},
        "contract/kept": {"step": "decide_lines", "dataset": kept.fingerprint},
        "other": {"step": "decide_lines", "result": "good"},
    }
    for name, value in checks.items():
        home.create_json(f"checks/{name}.json", value)
    home.create("checks/broken.json", b"{")
    age(home)
    report = collect_garbage(home, delete=True, keep_runs=1)
    assert report.others["checks"].num_files == 2
    left = {name.removeprefix("checks/") for name in names(home) if name.startswith("checks/")}
    assert left == {
        "code/decide_lines/kept.json",
        "contract/kept.json",
        "other.json",
        "broken.json",
    }


def test_leases_released_long_ago_are_swept(home, two_runs):
    num_leases = len({name.split("/")[1] for name, _, _ in home.list("leases")})
    assert num_leases > 20
    assert collect_garbage(home).num_leases == 0
    assert collect_garbage(home, delete=True).num_leases == 0  # hours are not long
    age(home, seconds=8 * 86_400)
    assert collect_garbage(home, delete=True).num_leases == num_leases
    assert not list(home.list("leases"))


# What a killed collection leaves.


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_collection_may_be_killed_at_any_deletion(
    home, two_runs, needed, quick_path, monkeypatch
):
    monkeypatch.setattr("store.gc._THREADS", 1)
    num_files = collect_garbage(home, keep_runs=1).total.num_files
    really = Storage.delete
    num_orphans = 0
    for survived in range(0, num_files, 2):
        copy = Storage(str(quick_path / "copy"))
        shutil.copytree(home.url, copy.url)
        deleted = []

        def delete(self, name, deleted=deleted, survived=survived):
            if len(deleted) == survived:
                raise Killed
            deleted.append(name)
            really(self, name)

        with monkeypatch.context() as patch:
            patch.setattr(Storage, "delete", delete)
            with pytest.raises(Killed):
                collect_garbage(copy, delete=True, keep_runs=1)
        assert len(deleted) == survived
        found = verify(copy, deep=survived % 8 == 0).findings
        assert {finding.kind for finding in found} <= {"orphan"}
        num_orphans += len(found)
        collect_garbage(copy, delete=True, keep_runs=1)
        assert store_files(copy) == needed
        shutil.rmtree(copy.url)
    assert num_files >= 30
    assert num_orphans > 10


def test_a_report_is_json(home, two_runs):
    report = collect_garbage(home, keep_runs=1)
    assert json.loads(json.dumps(report.plain())) == report.plain()
    assert report.plain()["total"]["num_files"] == report.total.num_files


def test_a_home_in_a_bucket_is_collected_too(quick_path):
    home = Storage(f"memory://gc/{os.getpid()}")
    corpus = write_corpus(quick_path / "few", 2, 5)
    first = run_graph(home, toy_graph(corpus, num_buckets=1))
    record_run(home, "first", first, started_at="2024-01-01T00:00:00+00:00")
    second = run_graph(home, toy_graph(corpus, min_chars=9, num_buckets=1))
    record_run(home, "second", second, started_at="2024-01-02T00:00:00+00:00")
    report = collect_garbage(home, delete=True, keep_runs=1, min_age_seconds=-1)
    assert report.num_deleted == report.total.num_files > 5
    assert computed(run_graph(home, toy_graph(corpus, min_chars=9, num_buckets=1))) == {}
    assert verify(home).findings == ()
    assert find_run(home, "first") is None


def test_time_is_the_files_own(home, corpus):
    """A clock that was set forward makes files look young, never old."""
    run_graph(home, toy_graph(corpus))
    age(home, seconds=-7200)
    assert collect_garbage(home).total == Share()
