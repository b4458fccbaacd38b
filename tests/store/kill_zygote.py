"""Runs the real steps in processes that kill themselves at a chosen moment. Not a test itself.

It imports and compiles everything once, before any thread starts, and then forks a process for
each order. A line on stdin is a JSON list of orders, which are carried out at the same time; a line
on stdout is the list of their answers.

An order names the ``home``, the ``corpus``, ``workers`` and, if the process is to be killed,
``kill``: the step, the point and how often that point is passed before. With ``snapshots`` the home
is copied there before each step. The answer says which ``signal`` ended the process and, if none
did, the digest of every step's dataset and how many partitions were computed.
"""

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import store.compute
import store.runner
from flows.graph import build_graph
from flows.recipe import load_recipe
from pipelines.compute_signals import measure_texts
from pipelines.dedupe.measures import compare_texts
from pipelines.dedupe.near_config import BandsConfig
from pipelines.dedupe.normalise import hash_normalised
from pipelines.dedupe.sign_bands import band_keys_of
from store.code import code_of
from store.plan import plan_node
from store.runner import Runner
from store.storage import Storage

SETTINGS = (
    "ingest.bundles=2",
    "signatures.num_buckets=2",
    "near.num_buckets=2",
    "policy.use=['gopher@millrace-1']",
)


def graph_of(corpus):
    return build_graph(load_recipe("my-text", [f"ingest.path={corpus}", *SETTINGS]))


class Killer:
    """Ends this process with SIGKILL when a point of a step is reached for the n-th time."""

    def __init__(self, step, point, nth):
        self.step, self.point, self.left = step, point, nth
        self.current = None
        self._lock = threading.Lock()

    def reach(self, point):
        if (self.current, point) != (self.step, self.point):
            return
        with self._lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self):
        """Put the points into the store, in this process only."""
        self._before(store.runner, "write_manifest", "manifest")
        self._after(store.compute, "write_receipt", "receipts")
        self._after(pq.ParquetWriter, "write_table", "rows")
        self._after(Storage, "publish", "published", lambda _, name, __: name.startswith("parts/"))

    def _before(self, owner, name, point):
        really = getattr(owner, name)

        def killing(*arguments, **named):
            self.reach(point)
            return really(*arguments, **named)

        setattr(owner, name, killing)

    def _after(self, owner, name, point, counts=lambda *_: True):
        really = getattr(owner, name)

        def killing(*arguments, **named):
            result = really(*arguments, **named)
            if counts(*arguments):
                self.reach(point)
            return result

        setattr(owner, name, killing)


def run_order(order):
    """Run the graph on the home; return digests and computed partitions by step."""
    killer = Killer(*order["kill"]) if order.get("kill") else None
    if killer:
        killer.install()
    storage, plans, told = Storage(order["home"]), {}, {}
    with Runner(storage, order["workers"]) as runner:
        for node in graph_of(order["corpus"]):
            if order.get("snapshots"):
                copy_home(order["home"], f"{order['snapshots']}/{node.name}")
            if killer:
                killer.current = node.name
            plan = plan_node(storage, node, plans)
            result = runner.run(plan)
            plans[node.name] = plan.completed(result.dataset)
            told[node.name] = [result.dataset.digest, result.num_computed]
    return told


def copy_home(home, to):
    Path(home).mkdir(exist_ok=True)
    shutil.copytree(home, to)


def begin(order):
    """Fork a process that carries out an order; return its id and the pipe it answers by."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(run_order(order)).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    return child, reader


def end(child, reader):
    """Wait for a process; return its answer and how it ended."""
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"signal": ended_by, "exit": status, "steps": json.loads(told or b"{}")}


def thread_names():
    """Return the names of this process's threads, those of libraries too (on Linux)."""
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return [name for name in names if name != "jemalloc_bg_thd"]  # which minds forks itself


def main():
    texts = pa.array(["Some words. And more of them.\n- a list\n"])
    nodes = list(graph_of("."))
    measure_texts(texts, nodes[1].config)
    hash_normalised(texts)
    band_keys_of(texts, BandsConfig())
    compare_texts(texts, texts)
    for node in nodes:
        code_of(node.step)
    print(json.dumps([node.name for node in nodes]), flush=True)
    for line in sys.stdin:
        if len(names := thread_names()) != 1:
            raise RuntimeError(f"forking is not safe, as there are threads: {names}")
        begun = [begin(order) for order in json.loads(line)]
        print(json.dumps([end(*one) for one in begun]), flush=True)


if __name__ == "__main__":
    main()
