"""A small graph with every kind of step and binding, for tests of the store: no DuckDB, no kernels.

lines -> sizes -> decisions -> choices -> kept lines, and lines -> buckets -> pairs -> choices.
Every call of a step's function is noted in a file, so that tests can count what was computed.
"""

import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from store.graph import Graph, Node
from store.identity import digest_bytes, digest_file
from store.plan import plan_node
from store.runner import Runner
from store.runs import StepRecord, begin_run, save_run
from store.step import Output, SourceFile, SourcePart, Step, uncounted
from store.storage import Storage

ID = pa.field("doc_id", pa.string(), nullable=False)
KEEP = [pa.field("keep", pa.bool_(), nullable=False), pa.field("reason", pa.string())]
LINES = pa.schema([ID, pa.field("text", pa.string(), nullable=False)])
SIZES = pa.schema([ID, pa.field("num_chars", pa.int64(), nullable=False)])
DECIDED = pa.schema([ID, *KEEP])
BUCKETS = pa.schema([pa.field("bucket", pa.int32(), nullable=False), ID, LINES.field("text")])
PAIRS = pa.schema([("left_id", pa.string()), ("right_id", pa.string())])
CHOSEN = pa.schema([pa.field("part_key", pa.string(), nullable=False), ID, *KEEP])


@dataclass(frozen=True)
class Config:
    """One config for all steps: what counts is ``value``, the rest says where things are."""

    value: int = 0
    folder: str = uncounted("")
    log: str = uncounted("")
    reverse: bool = uncounted(False)


def note(config, step, key):
    """Append one line to the log; short appends of several processes do not mix."""
    if config.log:
        descriptor = os.open(config.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(descriptor, f"{step} {key}\n".encode())
        os.close(descriptor)


def list_folder(config):
    paths = sorted(Path(config.folder).glob("*.txt"), reverse=config.reverse)
    files = (SourceFile(path.name, path.stat().st_size, digest_file(path)) for path in paths)
    return [SourcePart(file.path, (file,)) for file in files]


def read_lines(inputs, config):
    """One document a line; a line that begins with ! cannot be read."""
    note(config, "read_lines", inputs.key)
    output = Output(rows=(), facts={"records_framed": 0})

    def batches():
        for number, line in enumerate((Path(config.folder) / inputs.key).read_text().splitlines()):
            output.facts["records_framed"] += 1
            doc_id = digest_bytes(f"{inputs.key}/{number}".encode())
            if line.startswith("!"):
                where = {"uri": inputs.key, "position": number, "unit": "line", "error": "bang"}
                output.quarantined.append({"doc_id": doc_id, **where, "raw": line.encode()})
            else:
                yield pa.record_batch([[doc_id], [line]], schema=LINES)

    output.rows = batches()
    return output


def measure_lines(inputs, config):
    note(config, "measure_lines", inputs.key)
    lines = inputs.one("lines").table()
    sizes = [len(text) for text in lines["text"].to_pylist()]
    return Output(pa.table([lines["doc_id"], pa.array(sizes)], schema=SIZES))


def decide_lines(inputs, config):
    """Drop lines shorter than ``value`` characters."""
    note(config, "decide_lines", inputs.key)
    sizes = inputs.one("sizes").table()
    keep = [size >= config.value for size in sizes["num_chars"].to_pylist()]
    reason = pa.array([None if kept else "size.short" for kept in keep], pa.string())
    return Output(pa.table([sizes["doc_id"], keep, reason], schema=DECIDED))


def bucket_lines(inputs, config):
    """Sort lines into ``value`` buckets by the hash of their text."""
    note(config, "bucket_lines", inputs.key)
    rows = [
        (int(digest_bytes(text.encode())[:8], 16) % config.value, doc_id, text)
        for doc_id, text in zip(*inputs.one("lines").table().to_pydict().values(), strict=True)
    ]
    columns = list(zip(*sorted(rows), strict=True)) or [[], [], []]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, BUCKETS, strict=True)]
    return Output(pa.table(arrays, schema=BUCKETS), slice_by="bucket")


def pair_lines(inputs, config):
    """Pair each line with the first equal one of its bucket."""
    note(config, "pair_lines", inputs.key)
    groups = defaultdict(list)
    for part in inputs.parts["buckets"]:
        for row in part.table(["doc_id", "text"]).to_pylist():
            groups[row["text"]].append(row["doc_id"])
    pairs = sorted(
        (min(ids), other) for ids in groups.values() for other in ids if other != min(ids)
    )
    columns = list(zip(*pairs, strict=True)) or [[], []]
    return Output(pa.table([pa.array(c, pa.string()) for c in columns], schema=PAIRS))


def choose_lines(inputs, config):
    """Drop the right side of every pair, among what the decisions kept."""
    note(config, "choose_lines", inputs.key)
    repeated = set(inputs.table("pairs")["right_id"].to_pylist())
    rows = []
    for part in inputs.parts["decisions"]:
        for row in part.table().to_pylist():
            if row["keep"]:
                keep = row["doc_id"] not in repeated
                reason = None if keep else "pair.right"
                rows.append({"part_key": part.key, "doc_id": row["doc_id"], "keep": keep})
                rows[-1]["reason"] = reason
    return Output(pa.Table.from_pylist(rows, schema=CHOSEN), slice_by="part_key")


def write_lines(inputs, config):
    """Write the chosen lines of a partition."""
    note(config, "write_lines", inputs.key)
    chosen = inputs.one("choices").table()
    kept = set(chosen.filter(chosen["keep"])["doc_id"].to_pylist())
    lines = inputs.one("lines").table()
    return Output(
        lines.filter(pa.array([i in kept for i in lines["doc_id"].to_pylist()], pa.bool_()))
    )


def fail_always(inputs, config):
    raise ValueError("always")


def step(run, kind, schema, inputs=None, **more):
    return Step(run.__name__, 1, kind, run, Config, schema, inputs or {}, **more)


READ = step(read_lines, "source", LINES, list_parts=list_folder)
MEASURE = step(measure_lines, "map", SIZES, {"lines": "aligned"}, accounts_for="lines")
DECIDE = step(decide_lines, "map", DECIDED, {"sizes": "aligned"}, accounts_for="sizes")
BUCKET = step(bucket_lines, "map", BUCKETS, {"lines": "aligned"}, accounts_for="lines")
PAIR = step(
    pair_lines,
    "shuffle",
    PAIRS,
    {"buckets": "bucket"},
    accounts_for="buckets",
    emits="edges",
    num_buckets=lambda config: config.value,
)
CHOOSE = step(
    choose_lines, "whole", CHOSEN, {"decisions": "all", "pairs": "all"}, accounts_for="decisions"
)
WRITE = step(
    write_lines, "map", LINES, {"lines": "aligned", "choices": "aligned"}, accounts_for="choices"
)
MAPS = ("measure_lines", "decide_lines", "bucket_lines", "write_lines")


def toy_graph(folder, log="", min_chars=8, num_buckets=4, reverse=False, steps=None):
    """The whole graph; ``steps`` replaces steps by name."""
    places = {"folder": str(folder), "log": str(log), "reverse": reverse}
    wiring = [
        (READ, 0, {}),
        (MEASURE, 0, {"lines": "read_lines"}),
        (DECIDE, min_chars, {"sizes": "measure_lines"}),
        (BUCKET, num_buckets, {"lines": "read_lines"}),
        (PAIR, num_buckets, {"buckets": "bucket_lines"}),
        (CHOOSE, 0, {"decisions": "decide_lines", "pairs": "pair_lines"}),
        (WRITE, 0, {"lines": "read_lines", "choices": "choose_lines"}),
    ]
    return Graph(
        [
            Node((steps or {}).get(one.name, one), Config(value, **places), inputs)
            for one, value, inputs in wiring
        ]
    )


def run_graph(storage, graph, workers=1, executor=None, force=(), progress=None):
    """Run every step in order; return their results by name."""
    plans, results = {}, {}
    with Runner(storage, workers, executor, progress) as runner:
        for node in graph:
            plan = plan_node(storage, node, plans)
            results[node.name] = runner.run(plan, force=node.name in force)
            plans[node.name] = plan_node(storage, node, plans)
    return results


def record_run(storage, name, results, state="done", recipe="toy", **more):
    """Write the record of a run that came to these results, as a flow does."""
    steps = tuple(
        StepRecord(step, "fresh", "", 0, 0, 0, 0, 0, 0, 0, 0.0, 0, result.dataset.fingerprint)
        for step, result in results.items()
    )
    run = replace(begin_run(storage, recipe, {}, name), state=state, steps=steps, **more)
    save_run(storage, run)
    return run


def age(storage, seconds=7200):
    """Make every file of a local home older."""
    for path in Path(storage.url).rglob("*"):
        if path.is_file():
            old = path.stat().st_mtime - seconds
            os.utime(path, (old, old))


def store_files(storage):
    """Return the bytes of all manifests, receipts (but for times), rows and quarantines by name."""
    files = {}
    for folder in ("datasets", "parts", "quarantine"):
        for name, _, _ in storage.list(folder):
            files[name] = storage.read(name)
            if name.startswith("parts/") and name.endswith(".json"):
                receipt = json.loads(files[name])
                files[name] = {k: receipt[k] for k in ("made_from", "digest", "rows", "slices")}
    return files


def digests(results):
    return {name: result.dataset.digest for name, result in results.items()}


def computed(results):
    return {name: result.num_computed for name, result in results.items() if result.num_computed}


def write_corpus(folder, num_files=3, num_lines=12):
    """Write files whose lines repeat within and between them; some cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_files):
        write_file(folder, number, num_lines)
    return folder


def write_file(folder, number, num_lines=12):
    lines = [f"line {(number * 7 + i) % 17} {'x' * (i % 5)}" for i in range(num_lines)]
    lines[number % num_lines] = f"! no line {number}"
    (folder / f"part-{number:02d}.txt").write_text("\n".join(lines))


def main(home, folder, log, workers, others):
    """Run the graph in a process of its own, together with as many ``others`` as there will be."""
    storage, gate = Storage(home), Path(f"{log}.ready")
    note(Config(log=str(gate)), "ready", os.getpid())
    deadline = time.monotonic() + 30
    while len(gate.read_text().splitlines()) <= int(others) and time.monotonic() < deadline:
        time.sleep(0.001)
    print(json.dumps(digests(run_graph(storage, toy_graph(folder, log), int(workers)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
