"""The decisions of datatrove 0.10's filters, document by document, and what they cost.

    make peers
    .venv/bin/python -m benchmarks.signals --shared FOLDER [--megabytes 5] [--near 1000]

FOLDER holds the public collections that `benchmarks.corpora` reads. For each corpus its first texts
go through datatrove's four filters in FineWeb's order, and through our signals and policies, on one
core each: the tables show how many decisions and first reasons are equal, and documents per second.
Then each rule is asked alone, of the corpora and of texts near its threshold (real ones, and ones
made from them by `benchmarks.edge_texts`). Differences are printed with their texts' beginnings.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpora import read_texts
from benchmarks.edge_texts import MAKERS, make_texts
from data_contracts.documents import DECISIONS, EDITED
from pipelines.apply_policy import PolicyConfig, policy_sql, signals_asked
from pipelines.compute_signals import measure_batch
from pipelines.edits.registry import edit_named
from pipelines.kernels.cache import use_cache_dir
from pipelines.kernels.decoded import TextBatch, text_batch
from pipelines.policies.dialects import dialect_named
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import measured, measured_edited, with_asked
from pipelines.sql import query
from pipelines.text_slices import slices_of

PEER = Path(__file__).parent.parent / ".venv-peers" / "bin" / "python"
SCRIPT = Path(__file__).parent / "peers" / "datatrove_filters.py"
EDIT = "c4_lines_any_ending@datatrove-0.10"
EXACT = (
    "gopher@datatrove-0.10",
    "c4_any_ending@datatrove-0.10",
    "edited:fineweb@datatrove-0.10",
)
OWN = (
    "gopher_repetition@millrace-1",
    "gopher@millrace-1",
    "c4@millrace-1",
    "fineweb@millrace-1",
)
CORPORA = ("docstrings", "reviews", "encyclopedia", "posts", "books", "pages")
HEADING = (
    "corpus",
    "documents",
    "mean bytes",
    "dropped",
    "equal decision and first reason",
    "datatrove docs/s",
    "exact docs/s",
    "times",
    "own docs/s",
    "times",
    "own, of reading",
)
HEAVY = {"gopher_long_doc": 20}  # rules whose texts near the threshold are huge: how many of them


@dataclass(frozen=True)
class Way:
    """One way of deciding: what is measured for some policies, and the query that decides."""

    config: SignalsConfig
    rules: tuple[tuple[str, str], ...]

    def signals(self, texts: pa.Array) -> pa.Table:
        """Return the signals of some texts, slice by slice as the step does."""
        column = pa.chunked_array([texts])
        tables = [self._measure(texts.slice(first, num)) for first, num in slices_of(column)]
        return pa.concat_tables(tables)

    def _measure(self, texts: pa.Array) -> pa.Table:
        batch = text_batch(texts)
        found = measure_batch(batch, measured_of(self), self.config)
        for name in self.config.edits:
            edited = edit_named(name).edit(batch)
            found |= {fact: pa.array(values) for fact, values in edited.facts.items()}
            families = measured_edited(self.config)
            again = measure_batch(TextBatch(edited.texts), families, self.config)
            found |= {EDITED + signal: values for signal, values in again.items()}
        return pa.table({"doc_id": pa.array(["x"] * len(texts)), **found})

    def reasons(self, signals: pa.Table) -> list[str | None]:
        """Return the first reason to drop each document, None where it is kept."""
        return query(policy_sql(self.rules), DECISIONS, signals=signals)["reason"].to_pylist()


def measured_of(way: Way) -> list:
    """Return the families that the policies' rules ask for, and no others."""
    asked = {name for names in signals_asked(way.rules) for name in names}
    families = measured(way.config)
    return [f for f in families if asked & {field.name for field in f.fields}]


def way_of(policies: Sequence[str], edits: Sequence[str] = ()) -> Way:
    """Return the way in which some policies decide."""
    rules = PolicyConfig(use=tuple(policies)).all_rules()
    asked = {name for names in signals_asked(rules) for name in names}
    config = with_asked(SignalsConfig(edits=tuple(edits)), asked)
    if edits:  # sizes of the edited text are for later steps, not for these rules
        owners = {f.name for f in measured_edited(config) for field in f.fields
                  if EDITED + field.name in asked}  # fmt: skip
        config = SignalsConfig(families=config.families, edits=tuple(edits),
                               edited_families=tuple(sorted(owners)))  # fmt: skip
    return Way(config, rules)


def our_reason(theirs: str) -> str:
    """Return our name of a reason of datatrove's filters."""
    if theirs in ("lorem_ipsum", "curly_bracket", "too_few_sentences"):
        return f"c4.{theirs}"
    lines = ("line_punct_ratio", "short_line_ratio", "char_dup_ratio", "list_ratio", "empty")
    if theirs in lines:
        return f"fineweb.{theirs}"
    return f"gopher.{theirs.removeprefix('gopher_')}"


def ask_peer(mode: str, table: pa.Table, folder: Path) -> tuple[pa.Table, float]:
    """Run datatrove over a table of texts; return its answers and seconds."""
    source, target = folder / "texts.parquet", folder / "answers.parquet"
    pq.write_table(table, source)
    done = subprocess.run(
        [str(PEER), str(SCRIPT), mode, str(source), str(target)],
        check=True,
        capture_output=True,
        text=True,
    )
    return pq.read_table(target), json.loads(done.stdout.splitlines()[-1])["seconds"]


def timed(way: Way, texts: pa.Array, repeats: int = 3) -> tuple[list[str | None], float]:
    """Return a way's reasons for some texts, and the seconds of the fastest of some runs."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        reasons = way.reasons(way.signals(texts))
        best = min(best, time.perf_counter() - started)
    return reasons, best


def threads_gain(way: Way, texts: pa.Array) -> float:
    """Return how many times faster two threads measure two halves than one does both."""
    halves = [texts.slice(0, len(texts) // 2), texts.slice(len(texts) // 2)]
    seconds = []
    for num_threads in (1, 2):
        with ThreadPoolExecutor(num_threads) as pool:
            best = float("inf")
            for _ in range(3):
                started = time.perf_counter()
                list(pool.map(way.signals, halves))
                best = min(best, time.perf_counter() - started)
        seconds.append(best)
    return seconds[0] / seconds[1]


def read_seconds(texts: pa.Array, folder: Path) -> float:
    """Return the seconds of reading these texts from zstd Parquet in the page cache, one core."""
    path = folder / "limit.parquet"
    pq.write_table(pa.table({"text": texts}), path, compression="zstd")
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        pq.read_table(path, use_threads=False)
        best = min(best, time.perf_counter() - started)
    return best


def compare_corpora(names: Sequence[str], options: argparse.Namespace, folder: Path) -> None:
    """Print agreement and speed of each corpus."""
    exact, own = way_of(EXACT, [EDIT]), way_of(OWN)
    core = {min(os.sched_getaffinity(0))}
    everywhere = os.sched_getaffinity(0)
    for way in (exact, own):
        started = time.perf_counter()
        way.reasons(way.signals(pa.array(["Warm up the kernels, all of them. " * 9])))
        print(f"first call, kernels compiled: {time.perf_counter() - started:.1f} s")
    print("\n" + "| " + " | ".join(HEADING) + " |")
    print("| --- |" + " --- |" * (len(HEADING) - 1))
    for name in names:
        texts = first_megabytes(read_texts(name, options.shared), options.megabytes)
        array = pa.array(texts)
        size = sum(len(text.encode()) for text in texts)
        answers, peer_seconds = ask_peer("chain", pa.table({"text": array}), folder)
        theirs = [r and our_reason(r) for r in answers["reason"].to_pylist()]
        os.sched_setaffinity(0, core)
        ours, exact_seconds = timed(exact, array)
        _, own_seconds = timed(own, array)
        reading = read_seconds(array, folder)
        os.sched_setaffinity(0, everywhere)
        equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
        cells = (
            name,
            f"{len(texts):,}",
            f"{size / len(texts):,.0f}",
            f"{sum(reason is not None for reason in theirs) / len(texts):.1%}",
            f"{equal / len(texts):.3%}",
            f"{len(texts) / peer_seconds:,.0f}",
            f"{len(texts) / exact_seconds:,.0f}",
            f"{peer_seconds / exact_seconds:.0f}",
            f"{len(texts) / own_seconds:,.0f}",
            f"{peer_seconds / own_seconds:.0f}",
            f"{reading / own_seconds:.1%}",
        )
        print(f"| {' | '.join(cells)} |")
        show_differences(name, texts, ours, theirs)
    array = pa.array(first_megabytes(read_texts("reviews", options.shared), 16))
    for label, way in (("exact", exact), ("own", own)):
        print(f"two threads, {label}: {threads_gain(way, array):.2f} times one")


def first_megabytes(texts: Sequence[str], megabytes: float) -> list[str]:
    """Return the first texts, up to so many bytes in all."""
    sizes = accumulate(len(text.encode()) for text in texts)
    return [t for t, size in zip(texts, sizes, strict=True) if size <= megabytes * 1e6]


def show_differences(
    name: str, texts: Sequence[str], ours: Sequence[str | None], theirs: Sequence[str | None]
) -> None:
    """Print the texts that the two decide otherwise."""
    for text, mine, other in zip(texts, ours, theirs, strict=True):
        if mine != other:
            print(f"<!-- {name}: ours {mine}, datatrove {other}: {text[:60]!r} -->")


def near(condition: str, signals: pa.Table) -> list[bool]:
    """Return for which rows a rule's signal lies within a tenth of its threshold, or one of it."""
    name, _, limit = re.match(r"(\w+) *([<>]) *([\d.]+)", condition.strip()).groups()
    width = 1 if "num_" in name else 0  # counts: the threshold's neighbours at least
    sql = f"SELECT abs({name} - {limit}) <= greatest(0.1 * {limit}, {width}) + 1e-12 FROM signals"
    with duckdb.connect() as connection:
        connection.register("signals", signals)
        return [bool(row[0]) for row in connection.execute(sql).fetchall()]


def holds(condition: str, signals: pa.Table) -> list[bool]:
    """Return for which rows a rule's condition holds."""
    with duckdb.connect() as connection:
        connection.register("signals", signals)
        rows = connection.execute(f"SELECT coalesce({condition}, false) FROM signals").fetchall()
    return [bool(row[0]) for row in rows]


def rule_ways() -> dict[str, tuple[Way, str]]:
    """Return for each rule of datatrove's filters the way to measure its signal, and its SQL."""
    quality = way_of(["gopher@datatrove-0.10"])
    lines = way_of(["fineweb@datatrove-0.10"])
    c4 = way_of(["c4@datatrove-0.10"], ["c4_lines@datatrove-0.10"])
    conditions = {}
    for way, dialect in ((quality, "gopher"), (lines, "fineweb"), (c4, "c4")):
        for rule in dialect_named(f"{dialect}@datatrove-0.10").rules:
            conditions[rule.reason] = (way, rule.condition)
    stops = "num_c4_edit_lorem_ipsum + num_c4_edit_curly_brackets = 0"  # reading stopped there
    few = conditions["c4.too_few_sentences"]
    conditions["c4.too_few_sentences"] = (few[0], f"{few[1]} AND {stops}")
    names = [*MAKERS, "gopher_long_doc"]
    return {name: conditions[our_reason(name)] for name in names}


def texts_near(
    rule: str, way: Way, condition: str, bases: Sequence[str], wanted: int
) -> Iterator[str]:
    """Yield made texts for which a rule's signal is near its threshold."""
    if rule == "gopher_long_doc":
        words = " ".join(bases).split() * 20
        yield from (" ".join(words[:n]) for n in range(95_000, 105_000, 10_000 // wanted))
        return
    made = chain.from_iterable(make_texts(rule, bases, seed) for seed in range(12))
    while chunk := list(islice(made, 3000)):
        signals = way.signals(pa.array(chunk))
        yield from (
            t for t, is_near in zip(chunk, near(condition, signals), strict=True) if is_near
        )


def compare_rules(names: Sequence[str], options: argparse.Namespace, folder: Path) -> None:
    """Print how many answers of each rule alone are equal, on corpora and near its threshold."""
    ways = rule_ways()
    texts = [t for name in names for t in read_texts(name, options.shared, options.texts)]
    answers, _ = ask_peer("rules", pa.table({"text": texts}), folder)
    signals = {id(way): way.signals(pa.array(texts)) for way, _ in ways.values()}
    bases = [text for text in texts if 600 < len(text) < 6000][::7]
    edges: list[tuple[str, str]] = []
    for rule, (way, condition) in ways.items():
        wanted = HEAVY.get(rule, options.near)
        real = [t for t, yes in zip(texts, near(condition, signals[id(way)]), strict=True) if yes]
        found = real if rule not in HEAVY else []
        found += list(
            islice(texts_near(rule, way, condition, bases, wanted), max(0, wanted - len(found)))
        )
        edges += [(rule, text) for text in found[:wanted]]
    table = pa.table({"rule": [r for r, _ in edges], "text": [t for _, t in edges]})
    near_answers, _ = ask_peer("rules", table, folder)
    print("\n| rule alone | on corpora | dropped there | near its threshold | dropped there |")
    print("| --- | --- | --- | --- | --- |")
    for rule, (way, condition) in ways.items():
        mine = holds(condition, signals[id(way)])
        rows = [i for i, (name, _) in enumerate(edges) if name == rule]
        edge_texts = [edges[i][1] for i in rows]
        edge_mine = holds(condition, way.signals(pa.array(edge_texts))) if rows else []
        theirs = near_answers[rule].take(rows).to_pylist()
        print(
            f"| `{our_reason(rule)}` | {_equal(mine, answers[rule].to_pylist())} "
            f"| {_equal(edge_mine, theirs)} |"
        )
        for text, a, b in zip(edge_texts, edge_mine, theirs, strict=True):
            if b is not None and a != b:
                print(f"<!-- {rule}: ours {a}, datatrove {b}: {text[:60]!r} -->")
                break


def _equal(ours: Sequence[bool], theirs: Sequence[bool | None]) -> str:
    """Return how many of the answers that both give are equal, and the share of drops."""
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if b is not None]
    counts = Counter(a == b for a, b in both)
    dropped = sum(b for _, b in both)
    return f"{counts[True]:,} of {len(both):,} | {dropped:,}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=5, help="of text of each corpus")
    parser.add_argument("--texts", type=int, default=1000, help="of each corpus, for single rules")
    parser.add_argument("--near", type=int, default=1000, help="texts near each threshold")
    parser.add_argument("--corpora", nargs="+", default=list(CORPORA))
    parser.add_argument("--cache", type=Path, help="where compiled kernels lie (default: nowhere)")
    parser.add_argument("--only", choices=("corpora", "rules"))
    options = parser.parse_args()
    if not PEER.exists():
        raise SystemExit("`make peers` first: datatrove is not installed in .venv-peers.")
    with tempfile.TemporaryDirectory() as folder:
        use_cache_dir(options.cache or folder)
        if options.only != "rules":
            compare_corpora(options.corpora, options, Path(folder))
        if options.only != "corpora":
            compare_rules(options.corpora, options, Path(folder))


if __name__ == "__main__":
    main()
