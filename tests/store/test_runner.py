"""`store.runner` on a small graph of every kind of step: what is computed, and what can fail."""

import json
import os
import random
import subprocess
import sys
import types
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest
import toy_steps as toy
from toy_steps import Config, computed, digests, run_graph, toy_graph, write_file

from store.compute import compute_part, publish_part
from store.datasets import read_dataset
from store.errors import (
    Damaged,
    DiskFull,
    InputError,
    NotReproducible,
    OutputChanged,
    ReadOnlyHome,
    RowsUnaccounted,
    StepFailed,
)
from store.graph import Graph, Node
from store.plan import plan_graph, plan_node
from store.runner import Runner
from store.step import Output
from store.storage import Storage
from store.verify import verify

ROOT = Path(__file__).parents[2]
ALL = {
    "read_lines": 3,
    "measure_lines": 3,
    "decide_lines": 3,
    "bucket_lines": 3,
    "pair_lines": 4,
    "choose_lines": 1,
    "write_lines": 3,
}
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def receipts(storage, step):
    return sorted(n for n, _, _ in storage.list(f"parts/{step}") if n.endswith(".json"))


# What is computed.


def test_a_first_run_computes_all_and_a_second_nothing(home, corpus):
    first = run_graph(home, toy_graph(corpus))
    assert computed(first) == ALL
    before = list(home.list(""))
    second = run_graph(home, toy_graph(corpus))
    assert computed(second) == {}
    assert digests(second) == digests(first)
    assert list(home.list("")) == before
    for name, result in first.items():
        assert read_dataset(home, name, result.dataset.fingerprint) == result.dataset


def test_documents_are_accounted_for(home, corpus):
    results = run_graph(home, toy_graph(corpus))
    rows = {name: result.dataset.rows for name, result in results.items()}
    assert rows["read_lines"].num_in == 36
    assert (rows["read_lines"].kept, rows["read_lines"].quarantined) == (33, 3)
    assert (
        rows["decide_lines"].dropped == sum(results["decide_lines"].dataset.reasons().values()) > 0
    )
    assert rows["choose_lines"].num_in == rows["decide_lines"].kept
    assert rows["write_lines"].kept == rows["choose_lines"].kept < rows["decide_lines"].kept
    for row in rows.values():
        assert row.num_in == row.kept + row.dropped + row.quarantined + row.retired
    (part, *_) = results["read_lines"].dataset.parts
    with home.open_parquet(part.quarantine_name()) as file:
        (bad,) = file.read().to_pylist()
    assert (bad["uri"], bad["error"], bad["raw"]) == ("part-00.txt", "bang", b"! no line 0")


def test_a_new_file_computes_one_partition_in_each_map_step(home, corpus):
    run_graph(home, toy_graph(corpus))
    (corpus / "part-99.txt").write_text("a line that no other file has\n")
    second = computed(run_graph(home, toy_graph(corpus)))
    assert {name: second.get(name) for name in ("read_lines", *toy.MAPS)} == {
        "read_lines": 1,
        "measure_lines": 1,
        "decide_lines": 1,
        "bucket_lines": 1,
        "write_lines": 1,
    }
    assert second["pair_lines"] == 1  # the bucket of the one line
    assert second["choose_lines"] == 1


def test_a_changed_config_computes_its_step_and_what_that_changes(home, corpus):
    run_graph(home, toy_graph(corpus, min_chars=6))
    second = run_graph(home, toy_graph(corpus, min_chars=9))
    assert set(computed(second)) == {"decide_lines", "choose_lines", "write_lines"}
    third = run_graph(home, toy_graph(corpus, min_chars=6))
    assert computed(third) == {}


def test_equal_output_stops_the_wave(home, corpus):
    run_graph(home, toy_graph(corpus, min_chars=0))
    second = run_graph(home, toy_graph(corpus, min_chars=1))  # no line has no characters
    assert computed(second) == {"decide_lines": 3}


def test_a_raised_version_computes_the_step_anew_and_equal_output_stops_there(home, corpus):
    first = run_graph(home, toy_graph(corpus))
    raised = {"measure_lines": replace(toy.MEASURE, version=2)}
    second = run_graph(home, toy_graph(corpus, steps=raised))
    assert computed(second) == {"measure_lines": 3}
    assert digests(second) == digests(first)


def test_another_version_of_a_named_library_computes_the_step_anew(home, corpus, monkeypatch):
    named = {"measure_lines": replace(toy.MEASURE, libraries=("pyarrow",))}
    run_graph(home, toy_graph(corpus, steps=named))
    monkeypatch.setattr("store.plan._library_version", lambda name: "0.0.1")
    assert computed(run_graph(home, toy_graph(corpus, steps=named))) == {"measure_lines": 3}


def test_the_number_of_workers_and_the_order_of_files_change_nothing(quick_path, corpus):
    homes = []
    for workers, reverse in ((1, False), (2, False), (2, True)):
        homes.append(Storage(str(quick_path / f"home-{len(homes)}")))
        results = run_graph(homes[-1], toy_graph(corpus, reverse=reverse), workers)
        assert computed(results) == ALL
    files = [
        {name: home.read(name) for name, _, _ in home.list("") if _is_data(name)} for home in homes
    ]
    assert len(files[0]) > 20
    assert files[0] == files[1] == files[2]


def _is_data(name):
    return name.endswith(".parquet") or name.startswith("datasets/")


def test_a_home_in_a_bucket_holds_the_same(home, bucket_home, quick_path):
    folder = toy.write_corpus(quick_path / "few", num_files=2, num_lines=5)
    graph = Graph(
        list(toy_graph(folder, num_buckets=1))[:2] + list(toy_graph(folder, num_buckets=1))[3:5]
    )
    local = run_graph(home, graph)
    remote = run_graph(bucket_home, graph, workers=2)
    assert digests(remote) == digests(local)
    (folder / "part-99.txt").write_text("a line that no other file has\n")
    assert set(computed(run_graph(bucket_home, graph)).values()) == {1}
    assert computed(run_graph(bucket_home, graph)) == {}


def test_partitions_can_be_computed_in_other_processes(home, corpus, quick_path):
    log = quick_path / "log"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        results = run_graph(home, toy_graph(corpus, log), workers=2, executor=executor)
        assert computed(results) == ALL
        fail = toy.step(toy.fail_always, "source", toy.LINES, list_parts=toy.list_folder)
        failing = Graph([Node(fail, Config(folder=str(corpus)))])
        with pytest.raises(StepFailed, match=r"fail_always failed on partition 'part-00.txt'"):
            run_graph(home, failing, executor=executor)
    assert len(log.read_text().splitlines()) == sum(ALL.values())
    other = Storage(str(quick_path / "other"))
    assert digests(run_graph(other, toy_graph(corpus))) == digests(results)


def test_two_runs_at_once_compute_each_partition_once(quick_path, home):
    folder = toy.write_corpus(quick_path / "many", num_files=6)
    log = quick_path / "log"
    command = [sys.executable, toy.__file__, home.url, folder, log, "2", "1"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=path_env(), stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    printed = [json.loads(one.communicate(timeout=60)[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert printed[0] == printed[1]
    calls = Counter(log.read_text().splitlines())
    assert len(calls) == 6 * 5 + 4 + 1
    assert set(calls.values()) == {1}
    other = Storage(str(quick_path / "other"))
    assert digests(run_graph(other, toy_graph(folder))) == printed[0]


def path_env():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class Recorder:
    """A progress that writes down what it was told."""

    def __init__(self):
        self.told = []

    def step_started(self, step, num_parts, num_missing, total_bytes):
        self.told.append(("started", step, num_parts, num_missing, total_bytes))

    def part_finished(self, step, input_bytes, rows):
        self.told.append(("part", step, input_bytes, rows.num_in))

    def waiting(self, step, holder):
        self.told.append(("waiting", step, holder))

    def step_finished(self, step, result):
        self.told.append(("finished", step, result.num_computed))


def test_progress_adds_up(home, corpus):
    recorder = Recorder()
    run_graph(home, toy_graph(corpus), workers=2, progress=recorder)
    for name, count in ALL.items():
        told = [entry for entry in recorder.told if entry[1] == name]
        parts = [entry for entry in told if entry[0] == "part"]
        assert told[0][:4] == ("started", name, count, count)
        assert told[-1] == ("finished", name, count)
        assert len(parts) == count
        assert sum(entry[2] for entry in parts) == told[0][4] > 0


# Changed code.

SOURCE = """
import pyarrow as pa
from toy_steps import SIZES
from store.step import Output

def measure_lines(inputs, config):
    lines = inputs.one("lines").table()
    sizes = [{measure} for text in lines["text"].to_pylist()]
    return Output(pa.table([lines["doc_id"], pa.array(sizes)], schema=SIZES))
"""


@pytest.fixture
def written_step(tmp_path):
    """A step in a file of its own, which the test may edit."""
    path = tmp_path / "measuring.py"

    def load(text):
        path.write_text(text)
        module = types.ModuleType("measuring")
        exec(compile(text, str(path), "exec"), module.__dict__)
        steps = {"measure_lines": toy.MEASURE, "decide_lines": toy.DECIDE}
        return {
            name: replace(step, run=getattr(module, name))
            for name, step in steps.items()
            if hasattr(module, name)
        }

    return load


def test_a_changed_comment_computes_one_partition_and_notes_it(home, corpus, written_step):
    first = run_graph(
        home, toy_graph(corpus, steps=written_step(SOURCE.format(measure="len(text)")))
    )
    edited = written_step("# a comment" + SOURCE.format(measure="len(text)"))
    second = run_graph(home, toy_graph(corpus, steps=edited))
    assert computed(second) == {"measure_lines": 1}
    assert digests(second) == digests(first)
    (note,) = second["measure_lines"].notes
    assert "code changed in measuring.py, output equal on part part-0" in note
    assert len(list(home.list("checks/code/measure_lines"))) == 1
    third = run_graph(home, toy_graph(corpus, steps=edited))  # it is noted: not checked again
    assert computed(third) == {}
    assert third["measure_lines"].notes == ()


def test_changed_code_with_other_output_stops_and_names_the_file(home, corpus, written_step):
    run_graph(home, toy_graph(corpus, steps=written_step(SOURCE.format(measure="len(text)"))))
    before = list(home.list(""))
    write_file(corpus, 3)
    edited = written_step(SOURCE.format(measure="len(text.encode()) + 1"))
    with pytest.raises(OutputChanged, match=r"measuring\.py: bump VERSION in measuring\.py"):
        run_graph(home, toy_graph(corpus, steps=edited))
    after = {name for name, _, _ in home.list("")} - {name for name, _, _ in before}
    assert {name.split("/")[1] for name in after if not name.startswith("leases/")} == {
        "read_lines"
    }
    assert list(home.leftovers()) == []
    raised = {"measure_lines": replace(edited["measure_lines"], version=2)}
    assert computed(run_graph(home, toy_graph(corpus, steps=raised)))["measure_lines"] == 4


DECIDING = """
import pyarrow as pa
from toy_steps import DECIDED
from store.step import Output

def decide_lines(inputs, config):
    sizes = inputs.one("sizes").table()
    keep = [{keep} for n in sizes["num_chars"].to_pylist()]
    reasons = pa.array([None if yes else "short" for yes in keep], pa.string())
    rows = pa.table([sizes["doc_id"], pa.array(keep), reasons], schema=DECIDED)
    return Output(rows, slice_by={slice_by})
"""


def test_equal_output_under_one_config_says_nothing_of_another(home, corpus, written_step):
    """As of a change of rules that only the second recipe of a home has."""
    before = written_step(DECIDING.format(keep="n >= config.value", slice_by=None))
    for min_chars in (8, 9):
        run_graph(home, toy_graph(corpus, min_chars=min_chars, steps=before))
    keep = "n >= config.value and config.value != 9"
    edited = written_step(DECIDING.format(keep=keep, slice_by=None))
    results = run_graph(home, toy_graph(corpus, min_chars=8, steps=edited))
    assert "output equal" in results["decide_lines"].notes[0]
    with pytest.raises(OutputChanged, match="decide_lines changed"):
        run_graph(home, toy_graph(corpus, min_chars=9, steps=edited))


@pytest.mark.parametrize("force", [(), ("decide_lines",)])
def test_rows_that_lie_in_other_slices_are_another_output(home, corpus, written_step, force):
    text = DECIDING.format(keep="n >= config.value", slice_by="{}")
    run_graph(home, toy_graph(corpus, steps=written_step(text.format(None))))
    edited = written_step(text.format("'doc_id'"))
    with pytest.raises(OutputChanged, match="decide_lines changed"):
        run_graph(home, toy_graph(corpus, steps=edited), force=force)


def test_what_another_run_published_meanwhile_stays(home, corpus):
    """A process that was stopped until its lease went comes back with bytes of its own."""
    (receipt, *_) = run_graph(home, toy_graph(corpus))["measure_lines"].dataset.parts
    folder = corpus.parent / "late"
    folder.mkdir()
    (folder / "rows.parquet").write_bytes(b"of a training that draws otherwise")
    publish_part(home, replace(receipt, file_digest="0" * 64), folder, {})
    assert verify(home).findings == ()


def test_new_partitions_beside_unchanged_old_ones_need_no_check(home, corpus):
    run_graph(home, toy_graph(corpus))
    write_file(corpus, 3)
    results = run_graph(home, toy_graph(corpus))
    assert all(result.notes == () for result in results.values())


# Computing again.


def test_force_computes_again_and_keeps_the_old(home, corpus, quick_path):
    log = quick_path / "log"
    first = run_graph(home, toy_graph(corpus, log))
    before = {n: (size, at) for n, size, at in home.list("") if not n.startswith("leases/")}
    log.unlink()
    second = run_graph(home, toy_graph(corpus, log), force={"decide_lines"})
    assert Counter(line.split()[0] for line in log.read_text().splitlines()) == {"decide_lines": 3}
    assert second["decide_lines"].num_computed == 3
    assert "3 partitions equal" in second["decide_lines"].notes[0]
    assert digests(second) == digests(first)
    after = {n: (size, at) for n, size, at in home.list("") if not n.startswith("leases/")}
    assert before == after


def random_sizes(inputs, config):
    lines = inputs.one("lines").table(["doc_id"])
    seed = int.from_bytes(os.urandom(4), "little") if inputs.key == "part-01.txt" else 7
    sizes = pa.array([seed] * len(lines), pa.int64())
    return Output(pa.table([lines["doc_id"], sizes], schema=toy.SIZES))


def test_force_tells_what_is_not_reproducible_and_keeps_the_old(home, corpus):
    step = toy.step(random_sizes, "map", toy.SIZES, {"lines": "aligned"}, accounts_for="lines")
    nodes = [Node(toy.READ, Config(folder=str(corpus)))]
    graph = Graph([*nodes, Node(step, Config(), {"lines": "read_lines"})])
    first = run_graph(home, graph)
    before = {n: home.read(n) for n, _, _ in home.list("parts/random_sizes")}
    with pytest.raises(NotReproducible, match=r"part part-01\.txt has other rows"):
        run_graph(home, graph, force={"random_sizes"})
    assert {n: home.read(n) for n, _, _ in home.list("parts/random_sizes")} == before
    assert digests(run_graph(home, graph)) == digests(first)


# What can fail.


def fragile_lines(inputs, config):
    """Fail on the third part as long as there is a file named ``fail``."""
    toy.note(config, "fragile_lines", inputs.key)
    if inputs.key == "part-02.txt" and (Path(config.folder) / "fail").exists():
        raise ZeroDivisionError("no such luck")
    return toy.read_lines(inputs, replace(config, log=""))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_step_keeps_what_was_finished_and_goes_on_from_there(
    home, corpus, quick_path, workers
):
    log = quick_path / "log"
    (corpus / "fail").touch()
    step = toy.step(fragile_lines, "source", toy.LINES, list_parts=toy.list_folder)
    graph = Graph([Node(step, Config(folder=str(corpus), log=str(log)))])
    with pytest.raises(
        StepFailed, match=r"fragile_lines .*'part-02.txt' .*ZeroDivisionError: no such"
    ):
        run_graph(home, graph, workers)
    assert len(receipts(home, "fragile_lines")) == 2
    assert list(home.leftovers()) == []
    assert not list(home.list("datasets"))
    (corpus / "fail").unlink()
    results = run_graph(home, graph, workers)
    assert computed(results) == {"fragile_lines": 1}
    assert Counter(log.read_text().splitlines())["fragile_lines part-00.txt"] == 1


def fail_like(error):
    def failing(inputs, config):
        raise error

    return toy.step(failing, "source", toy.LINES, list_parts=toy.list_folder)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("odd"), StepFailed),
        (FileNotFoundError(2, "gone", "x"), StepFailed),
        (InputError("x is empty; fill it"), InputError),
        (OSError(28, "No space left on device"), DiskFull),
        (KeyError("k"), StepFailed),
    ],
    ids=repr,
)
def test_any_error_of_a_step_is_one_of_ours(home, corpus, error, expected):
    with pytest.raises(expected):
        run_graph(home, Graph([Node(fail_like(error), Config(folder=str(corpus)))]))
    assert not list(home.list("parts"))


def test_a_row_that_goes_missing_is_not_published(home, corpus):
    def lose_line(inputs, config):
        return Output(toy.measure_lines(inputs, config).rows.slice(1))

    step = toy.step(lose_line, "map", toy.SIZES, {"lines": "aligned"}, accounts_for="lines")
    graph = Graph([toy_graph(corpus)["read_lines"], Node(step, Config(), {"lines": "read_lines"})])
    with pytest.raises(
        RowsUnaccounted, match=r"lose_line took in 11 documents .* 10 kept, 0 dropped"
    ):
        run_graph(home, graph)
    assert not list(home.list("parts/lose_line"))


def remount(folder, option):
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def big_lines(inputs, config):
    """About 700 kB that do not compress, from a file of a few bytes."""
    toy.note(config, "big_lines", inputs.key)
    data = random.Random(inputs.key)  # the same for the same key
    texts = [data.randbytes(50_000).hex() for _ in range(14)]
    ids = [f"{inputs.key}/{i}" for i in range(14)]
    return Output(pa.table([ids, texts], schema=toy.LINES), facts={"records_framed": 14})


def test_a_disk_that_fills_stops_cleanly_and_the_run_goes_on_later(small_disk, corpus, quick_path):
    log, home = quick_path / "log", Storage(str(small_disk / "home"))
    remount(small_disk, "size=2m")
    step = toy.step(big_lines, "source", toy.LINES, list_parts=toy.list_folder)
    graph = Graph([Node(step, Config(folder=str(corpus), log=str(log)))])
    with pytest.raises(DiskFull, match=r"no room to write .*--home"):
        run_graph(home, graph)
    finished = receipts(home, "big_lines")
    assert len(finished) in (1, 2)
    assert list(home.leftovers()) == []
    remount(small_disk, "size=32m")
    results = run_graph(home, graph)
    assert computed(results) == {"big_lines": 3 - len(finished)}


def test_a_read_only_home_can_be_reused_and_not_written(small_disk, corpus):
    remount(small_disk, "size=32m")
    home = Storage(str(small_disk / "home"))
    first = run_graph(home, toy_graph(corpus))
    remount(small_disk, "ro")
    assert digests(run_graph(home, toy_graph(corpus))) == digests(first)
    with pytest.raises(ReadOnlyHome, match="--home"):
        run_graph(home, toy_graph(corpus, min_chars=9))


def test_a_damaged_partition_stops_what_reads_it(home, corpus):
    results = run_graph(home, toy_graph(corpus))
    name = results["measure_lines"].dataset.parts[1].data_name()
    data = bytearray(home.read(name))
    data[20] ^= 1
    home.replace(name, bytes(data))
    with pytest.raises(Damaged, match=f"{name}.*--repair"):
        run_graph(home, toy_graph(corpus, min_chars=9))


def test_a_partition_computed_by_hand_is_what_the_runner_makes(home, corpus):
    plans = plan_graph(home, toy_graph(corpus))
    tasks = [part.task for part in plans["read_lines"].parts]
    by_hand = [compute_part(task, publish=False) for task in tasks]
    assert not list(home.list("parts"))
    dataset = run_graph(home, toy_graph(corpus))["read_lines"].dataset
    assert [r.digest for r in by_hand] == [r.digest for r in dataset.parts]
    assert [r.file_digest for r in by_hand] == [r.file_digest for r in dataset.parts]


def test_no_lease_is_held_after_a_run(home, corpus):
    with Runner(home) as runner:
        for node in list(toy_graph(corpus))[:1]:
            runner.run(plan_node(home, node, {}))
        names = {name.split("/")[1] for name, _, _ in home.list("leases")}
        assert len(names) == 3
        assert [runner._leases.holder(name) for name in names] == [None] * 3
