"""``kill -9`` in the middle of every step, then run again: the same datasets as if undisturbed.

Real processes of the real steps, ended by a real SIGKILL at four points of each step. A killed
process leaves a home in which nothing is damaged, and what it finished is not computed again.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from toy_steps import store_files

from store.lease import Leases
from store.storage import Storage
from store.verify import verify

ROOT = Path(__file__).parents[2]
STEPS = [
    "ingest",
    "compute_signals",
    "apply_policy",
    "compute_signatures",
    "link_duplicates",
    "sign_bands",
    "find_candidates",
    "compare_candidates",
    "choose_kept",
    "split",
    "index_heldout",
    "guard_heldout",
    "materialize",
]
# The others may have no row to be killed after: no two texts here need be candidates or held out.
KILLED = [
    step for step in STEPS if step not in ("find_candidates", "compare_candidates", "index_heldout")
]
POINTS = ["rows", "published", "receipts", "manifest"]
WHOLE = ("compare_candidates", "choose_kept", "index_heldout")
NUM_PARTS = dict.fromkeys(STEPS, 2) | dict.fromkeys(WHOLE, 1)  # bundles of files, buckets; all
NUM_FILES = 20
# So that importing starts no thread: only then is forking safe.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


@dataclass
class World:
    """The zygote, one corpus listed in two orders, and what an undisturbed run came to."""

    zygote: subprocess.Popen
    folder: Path
    undisturbed: dict[str, list]
    files: dict[str, object]

    def carry_out(self, orders):
        """Have processes carry out orders, at the same time; return their answers."""
        self.zygote.stdin.write(json.dumps(orders) + "\n")
        self.zygote.stdin.flush()
        return json.loads(self.zygote.stdout.readline())

    def corpus(self, listing):
        return str(self.folder / f"corpus-{listing}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    memory = Path("/dev/shm")
    folder = tmp_path_factory.mktemp("kill")
    if memory.is_dir():  # flushing costs nothing there
        folder = memory / f"millrace-kill-{os.getpid()}"
        folder.mkdir()
    write_files(folder / "corpus-0", range(NUM_FILES))
    write_files(folder / "corpus-1", reversed(range(NUM_FILES)))
    zygote = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("kill_zygote.py"))],
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert json.loads(zygote.stdout.readline()) == STEPS
        world = World(zygote, folder, {}, {})
        home = str(folder / "undisturbed")
        copies = str(folder / "before")
        order = {"home": home, "corpus": world.corpus(0), "workers": 1, "snapshots": copies}
        (answer,) = world.carry_out([order])
        assert answer["exit"] == 0
        world.undisturbed, world.files = answer["steps"], store_files(Storage(home))
        yield world
    finally:
        zygote.stdin.close()
        zygote.wait(timeout=10)
        if memory in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)


def write_files(folder, numbers):
    """Write real English, docstrings of Python, cut into files some of which are equal."""
    folder.mkdir()
    text = " ".join((os.__doc__, json.__doc__, subprocess.__doc__, shutil.copytree.__doc__))
    words = text.split()
    for number in numbers:
        start = number % 13 * 20
        content = " ".join(words[start : start + 40 + number % 13 * 10])
        if number % 5 == 0:
            lines = [{"id": f"{number}-{i}", "text": f"{content} {i}"} for i in range(3)]
            path = folder / f"file-{number:02d}.jsonl"
            path.write_text("\n".join([*map(json.dumps, lines), "no json"]))
        else:
            (folder / f"file-{number:02d}.txt").write_text(content)


def test_the_undisturbed_run_has_something_in_every_step(world):
    home = Storage(str(world.folder / "undisturbed"))
    assert {step: count for step, (_, count) in world.undisturbed.items()} == NUM_PARTS
    rows = {}
    for name, _, _ in home.list("datasets"):
        manifest = home.read_json(name)
        rows[manifest["step"]] = manifest["rows"]
    assert rows["ingest"]["quarantined"] == 4
    assert rows["apply_policy"]["dropped"] > 0
    assert rows["choose_kept"]["dropped"] > 0
    assert rows["materialize"]["kept"] > 5
    if Path("/dev/shm") in world.folder.parents:  # which lists files by when they were made
        assert os.listdir(world.corpus(0)) != os.listdir(world.corpus(1))


@pytest.mark.parametrize("step", KILLED)
def test_a_killed_run_goes_on_where_it_was(world, step):
    """Of each step's eight scenarios, or 80 in all, every one ends and goes on as it should."""
    tried = [scenario for point in POINTS for scenario in kill_and_go_on(world, step, point)]
    assert tried == [(step, point, workers) for point in POINTS for workers in (1, 2)]


def kill_and_go_on(world, step, point):
    """Kill two runs at the same time, of one and of two workers; go on with two and with one."""
    homes = {workers: Storage(str(world.folder / f"home-{workers}")) for workers in (1, 2)}
    nth = NUM_PARTS[step] if point in ("rows", "published") else 1
    orders = []
    for workers, home in homes.items():
        shutil.copytree(world.folder / "before" / step, home.url)
        place = {"home": home.url, "corpus": world.corpus(0), "workers": workers}
        orders.append({**place, "kill": [step, point, nth]})
    for killed in world.carry_out(orders):
        assert (killed["signal"], killed["steps"]) == (signal.SIGKILL, {})
    finished = {workers: receipts(home, step) for workers, home in homes.items()}
    for workers, home in homes.items():
        check_what_was_left(home, step, point, finished[workers], workers)

    started = time.monotonic()
    orders = [
        {"home": home.url, "corpus": world.corpus(1), "workers": 3 - workers}
        for workers, home in homes.items()
    ]
    answers = world.carry_out(orders)
    assert time.monotonic() - started < 20  # no waiting for leases of the dead
    for again, (workers, home) in zip(answers, homes.items(), strict=True):
        check_what_came_of_it(world, home, again, expected(step, finished[workers]))
        shutil.rmtree(home.url)
        yield step, point, workers


def check_what_came_of_it(world, home, again, computed):
    assert again["exit"] == 0
    assert {name: count for name, (_, count) in again["steps"].items()} == computed
    digests = {name: digest for name, (digest, _) in again["steps"].items()}
    assert digests == {name: digest for name, (digest, _) in world.undisturbed.items()}
    assert store_files(home) == world.files
    assert verify(home).findings == ()
    check_leases(home)


def receipts(home, step):
    return [name for name, _, _ in home.list(f"parts/{step}") if name.endswith(".json")]


def expected(step, finished):
    """Computed partitions by step: none before the killed one, of it what had no receipt."""
    left = NUM_PARTS[step] - len(finished)
    return {**NUM_PARTS, **dict.fromkeys(STEPS[: STEPS.index(step)], 0), step: left}


def check_what_was_left(home, step, point, finished, workers):
    """Whatever lies there is whole or nobody believes it, and it is what the point says."""
    report = verify(home)
    assert {finding.kind for finding in report.findings} <= {"orphan"}
    assert not list(home.list(f"datasets/{step}"))
    parts = NUM_PARTS[step]
    most = {"rows": parts - 1, "published": parts - 1, "receipts": parts, "manifest": parts}
    least = {"rows": 0, "published": (parts - 1) * (workers == 1), "receipts": 1, "manifest": parts}
    assert least[point] <= len(finished) <= most[point]
    if point == "rows":
        assert any(name.endswith("rows.parquet") for name, _, _ in home.leftovers())
    if point == "published":
        assert any(f.name.startswith(f"parts/{step}/") for f in report.findings)


def check_leases(home):
    with Leases(home) as leases:
        names = {name.split("/")[1] for name, _, _ in home.list("leases")}
        assert names
        assert [leases.holder(name) for name in names] == [None] * len(names)
