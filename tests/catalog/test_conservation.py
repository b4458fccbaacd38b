from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.accounts import balance
from catalog.conservation import (
    proof_exists,
    prove_and_record,
    prove_step,
    record_proof,
)
from catalog.relations import connect
from data_contracts.errors import Damaged, RowsUnaccounted
from store.datasets import Dataset, StoredPart
from store.runs import get_run
from store.step import Output, Step
from store.storage import Storage

STEPS = (
    "ingest",
    "compute_signals",
    "apply_policy",
    "compute_signatures",
    "link_duplicates",
    "choose_kept",
    "split",
    "materialize",
)
DOCUMENT_STEPS = tuple(step for step in STEPS if step not in ("ingest", "link_duplicates"))
DECIDING = ("apply_policy", "choose_kept")
SLICED = {"compute_signatures": "bucket", "choose_kept": "part_key"}
UNKNOWN = "f" * 32


@pytest.fixture
def copied(finished: Any, fake: SimpleNamespace, tmp_path: Path) -> Any:
    """A copy of the finished home, to be damaged."""
    shutil.copytree(finished.storage.url, tmp_path / "home")
    storage = Storage(str(tmp_path / "home"))
    return fake.Home(storage, finished.graph, get_run(storage, "first"))


class Tampered:
    """One step's dataset, whose rows a test changes by hand."""

    def __init__(self, home: Any, fake: SimpleNamespace, step: str) -> None:
        self.home, self.fake, self.step = home, fake, step
        self.inputs = home.inputs_of(step)
        self.dataset: Dataset = home.datasets()[step]
        self.big = [i for i, part in enumerate(self.dataset.parts) if part.num_rows > 1]

    def rows(self, index: int) -> list[dict[str, Any]]:
        part = self.dataset.parts[index]
        return StoredPart(self.home.storage, part, part.key).table().to_pylist()

    def write(self, index: int, rows: list[dict[str, Any]]) -> None:
        by = SLICED.get(self.step)
        rows = sorted(rows, key=lambda row: row[by]) if by else rows
        part, schema = self.dataset.parts[index], self.home.graph[self.step].step.schema
        table = pa.Table.from_pylist(rows, schema=schema)
        changed = self.fake.rewrite(self.home.storage, part, table, by)
        parts = [changed if i == index else p for i, p in enumerate(self.dataset.parts)]
        self.dataset = Dataset(self.step, tuple(parts))

    def prove(self) -> Any:
        node = self.home.graph[self.step]
        return prove_step(self.home.storage, node, self.dataset, self.inputs)


def kept_first(rows: list[dict[str, Any]], keep: bool = True) -> int:
    return next(i for i, row in enumerate(rows) if row.get("keep", True) is keep)


def remove(data: Tampered) -> None:
    index = data.big[0]
    rows = data.rows(index)
    data.write(index, rows[1:])


def remove_dropped(data: Tampered) -> None:
    index = data.big[0]
    rows = data.rows(index)
    del rows[kept_first(rows, keep=False)]
    data.write(index, rows)


def duplicate(data: Tampered) -> None:
    index = data.big[0]
    rows = data.rows(index)
    data.write(index, [rows[0], *rows])


def invent(data: Tampered) -> None:
    index = data.big[0]
    rows = data.rows(index)
    name = "right_id" if data.step == "link_duplicates" else "doc_id"
    data.write(index, [*rows, {**rows[0], name: UNKNOWN}])


def swap_for_unknown(data: Tampered) -> None:
    """Replace one id, so that every count stays right."""
    index = data.big[0]
    rows = data.rows(index)
    name = "right_id" if data.step == "link_duplicates" else "doc_id"
    data.write(index, [{**rows[0], name: UNKNOWN}, *rows[1:]])


def move(data: Tampered) -> None:
    if data.step == "choose_kept":
        rows = data.rows(0)
        other = next(row["part_key"] for row in rows if row["part_key"] != rows[0]["part_key"])
        data.write(0, [{**rows[0], "part_key": other}, *rows[1:]])
        return
    source, target = data.big[0], data.big[1]
    rows = data.rows(source)
    data.write(source, rows[1:])
    data.write(target, [*data.rows(target), rows[0]])


WAYS = {
    "removed": (remove, "came out nowhere|edges are missing|were framed"),
    "duplicated": (duplicate, "more than once|were framed"),
    "invented": (invent, "never went in|were framed"),
    "swapped": (swap_for_unknown, "never went in"),
    "moved": (move, "in another partition|were framed"),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_wrote_accounts_for_its_rows(finished: Any, step: str) -> None:
    datasets, inputs = finished.datasets(), finished.inputs_of(step)
    proof = prove_step(finished.storage, finished.graph[step], datasets[step], inputs)
    rows = datasets[step].rows  # the step's own counters: a second opinion
    assert (proof.num_in, proof.kept, proof.dropped, proof.quarantined) == (
        rows.num_in,
        rows.kept,
        rows.dropped,
        rows.quarantined,
    )
    assert proof.num_in >= 100
    assert proof.checked


def test_the_small_home_has_every_fate(finished: Any) -> None:
    rows = [dataset.rows for dataset in finished.datasets().values()]
    assert all(sum(getattr(r, fate) for r in rows) for fate in ("kept", "dropped", "quarantined"))
    edges = finished.datasets()["link_duplicates"]
    assert sum(part.num_rows > 1 for part in edges.parts) >= 2


# A source's ids are whatever it makes, so there is nothing to hold a swapped one against.
CASES = [(step, way) for step in STEPS for way in WAYS if (step, way) != ("ingest", "swapped")]


@pytest.mark.parametrize(("step", "way"), CASES)
def test_a_row_changed_by_hand_is_found(
    copied: Any, fake: SimpleNamespace, step: str, way: str
) -> None:
    change, words = WAYS[way]
    data = Tampered(copied, fake, step)
    data.prove()
    change(data)
    with pytest.raises(RowsUnaccounted, match=words) as raised:
        data.prove()
    assert str(raised.value).startswith(f"{step} does not account for its rows: ")


@pytest.mark.parametrize("step", DECIDING)
def test_a_dropped_row_counts_as_much_as_a_kept_one(
    copied: Any, fake: SimpleNamespace, step: str
) -> None:
    data = Tampered(copied, fake, step)
    remove_dropped(data)
    with pytest.raises(RowsUnaccounted, match="1 went in and came out nowhere"):
        data.prove()


def test_the_message_names_at_most_ten_ids(copied: Any, fake: SimpleNamespace) -> None:
    data = Tampered(copied, fake, "compute_signals")
    rows = data.rows(0)
    data.write(0, rows[15:])
    with pytest.raises(RowsUnaccounted) as raised:
        data.prove()
    named = [row["doc_id"] for row in rows if row["doc_id"] in str(raised.value)]
    assert sorted(row["doc_id"] for row in rows[:15])[:10] == sorted(named)
    assert "15 went in and came out nowhere" in str(raised.value)
    assert "and 5 more" in str(raised.value)


def test_a_document_that_the_step_before_dropped_may_not_come_back(
    copied: Any, fake: SimpleNamespace
) -> None:
    data = Tampered(copied, fake, "choose_kept")
    decisions = Tampered(copied, fake, "apply_policy").rows(0)
    gone = decisions[kept_first(decisions, keep=False)]["doc_id"]
    rows = data.rows(0)
    data.write(0, [*rows, {**rows[0], "doc_id": gone}])
    with pytest.raises(RowsUnaccounted, match=f"never went in and came out .*{gone}"):
        data.prove()


def test_one_id_in_two_partitions_of_a_source_is_found(copied: Any, fake: SimpleNamespace) -> None:
    data = Tampered(copied, fake, "ingest")
    twin = data.rows(0)[0]["doc_id"]
    rows = data.rows(1)
    data.write(1, [{**rows[0], "doc_id": twin}, *rows[1:]])
    with pytest.raises(RowsUnaccounted, match=f"more than one partition, .* p0 and p1.*{twin}"):
        data.prove()


def test_a_source_must_say_how_many_records_it_framed(copied: Any) -> None:
    dataset = copied.datasets()["ingest"]
    parts = (replace(dataset.parts[0], facts={}), *dataset.parts[1:])
    with pytest.raises(RowsUnaccounted, match="framed in partition 'p0', 50 became rows"):
        prove_step(copied.storage, copied.graph["ingest"], Dataset("ingest", parts), {})


def test_a_lost_quarantine_file_is_found(copied: Any) -> None:
    dataset = copied.datasets()["ingest"]
    parts = (replace(dataset.parts[0], quarantine_digest=None), *dataset.parts[1:])
    with pytest.raises(RowsUnaccounted, match=r"53 records were framed .* and 2 passed over"):
        prove_step(copied.storage, copied.graph["ingest"], Dataset("ingest", parts), {})


def test_a_source_without_partitions_has_nothing_to_prove(finished: Any) -> None:
    proof = prove_step(finished.storage, finished.graph["ingest"], Dataset("ingest", ()), {})
    assert proof.num_in == 0


def test_an_edge_between_unequal_documents_is_found(copied: Any, fake: SimpleNamespace) -> None:
    signatures = Tampered(copied, fake, "compute_signatures")
    data = Tampered(copied, fake, "link_duplicates")
    bucket = data.big[0]
    rows = [row for row in signatures.rows(0) if row["bucket"] == bucket]
    first, second = next((a, b) for a in rows for b in rows if a["normal_hash"] != b["normal_hash"])
    pair = sorted([first["doc_id"], second["doc_id"]])
    edge = {**data.rows(bucket)[0], "left_id": pair[0], "right_id": pair[1]}
    for relation in ("exact.text", "exact.normalised"):
        changed = [*data.rows(bucket), {**edge, "relation": relation}]
        data.write(bucket, changed)
        with pytest.raises(RowsUnaccounted, match=f"{relation} edges join documents that are not"):
            data.prove()
        data.write(bucket, changed[:-1])
    data.prove()


def test_a_near_edge_is_not_held_against_the_hashes(copied: Any, fake: SimpleNamespace) -> None:
    data = Tampered(copied, fake, "link_duplicates")
    rows = data.rows(data.big[0])
    data.write(data.big[0], [*rows, {**rows[0], "relation": "near.minhash", "jaccard": 0.9}])
    assert data.prove().edges == sum(part.num_rows for part in data.dataset.parts)
    data.write(data.big[0], [*rows, {**rows[0], "relation": "near.minhash", "right_id": UNKNOWN}])
    with pytest.raises(RowsUnaccounted, match="join an id that never went in"):
        data.prove()


def test_an_edge_the_wrong_way_round_is_found(copied: Any, fake: SimpleNamespace) -> None:
    data = Tampered(copied, fake, "link_duplicates")
    first, *others = data.rows(data.big[0])
    turned = {**first, "left_id": first["right_id"], "right_id": first["left_id"]}
    data.write(data.big[0], [turned, *others])
    with pytest.raises(RowsUnaccounted, match="edges are not in order"):
        data.prove()


def test_a_bucket_that_no_partition_reads_is_found(finished: Any) -> None:
    dataset = finished.datasets()["link_duplicates"]
    fewer = Dataset(dataset.step, dataset.parts[:-1])
    inputs = finished.inputs_of("link_duplicates")
    with pytest.raises(RowsUnaccounted, match="were read for no partition"):
        prove_step(finished.storage, finished.graph["link_duplicates"], fewer, inputs)


def quarantining(fake: SimpleNamespace, keeps: bool, named: bool) -> Step:
    """A signals step that sets its first document aside, rightly or in some wrong way."""

    def run(inputs: Any, config: Any) -> Output:
        output = fake.compute_signals(inputs, config)
        first = output.rows["doc_id"][0].as_py()
        bad = {"doc_id": first if named else None, "error": "too deep"}
        rows = output.rows if keeps else output.rows[1:]
        return Output(rows[: len(rows) - keeps], [bad])

    return replace(fake.COMPUTE_SIGNALS, run=run)


@pytest.mark.parametrize(
    ("keeps", "named", "words"),
    [
        (False, True, None),
        (True, True, "came out more than once, kept and quarantined"),
        (False, False, "never went in and came out quarantined"),
    ],
)
def test_quarantine_is_a_fate_like_the_others(
    fake: SimpleNamespace, tmp_path: Path, keeps: bool, named: bool, words: str | None
) -> None:
    step = quarantining(fake, keeps, named)
    full = fake.build_graph(steps={"compute_signals": step})
    graph = fake.Graph(list(full)[:2])
    home = fake.Home(Storage(str(tmp_path)), graph, fake.run_graph(tmp_path, graph, "one"))
    node = graph["compute_signals"]
    arguments = (home.storage, node, home.datasets()[node.name], home.inputs_of(node.name))
    if words is None:
        assert prove_step(*arguments).quarantined == 3
    else:
        with pytest.raises(RowsUnaccounted, match=words):
            prove_step(*arguments)


def test_a_model_passes_every_document_on(finished: Any) -> None:
    node = finished.graph["compute_signals"]
    model = replace(node, step=replace(node.step, emits="model", accounts_for=None))
    proof = prove_step(finished.storage, model, finished.datasets()[node.name], {})
    assert not proof.checked


def test_a_proof_is_noted_and_not_made_twice(copied: Any) -> None:
    node, dataset = copied.graph["split"], copied.datasets()["split"]
    inputs = copied.inputs_of("split")
    assert not proof_exists(copied.storage, node, dataset, inputs)
    proof = prove_and_record(copied.storage, node, dataset, inputs)
    assert proof is not None
    name = f"checks/conservation/split/{proof.fingerprint}.json"
    assert copied.storage.read_json(name)["kept"] == proof.kept
    assert proof_exists(copied.storage, node, dataset, inputs)
    assert prove_and_record(copied.storage, node, dataset, inputs) is None
    record_proof(copied.storage, replace(proof, kept=0))  # what was noted first stands
    assert copied.storage.read_json(name)["kept"] == proof.kept


def test_a_proof_holds_for_this_dataset_and_these_inputs_alone(
    copied: Any, fake: SimpleNamespace
) -> None:
    data = Tampered(copied, fake, "split")
    node = copied.graph["split"]
    prove_and_record(copied.storage, node, data.dataset, data.inputs)
    other_inputs = {**data.inputs, "choices": data.inputs["signatures"]}
    assert not proof_exists(copied.storage, node, data.dataset, other_inputs)
    remove(data)
    assert not proof_exists(copied.storage, node, data.dataset, data.inputs)
    with pytest.raises(RowsUnaccounted):
        prove_and_record(copied.storage, node, data.dataset, data.inputs)
    assert not proof_exists(copied.storage, node, data.dataset, data.inputs)


def test_a_partition_that_cannot_be_read_is_damaged_not_unaccounted(
    copied: Any, fake: SimpleNamespace
) -> None:
    data = Tampered(copied, fake, "split")
    for index in (0, 1):
        path = copied.storage.local_path(data.dataset.parts[index].data_name())
        content = path.read_bytes()
        for broken in (content[: len(content) // 2], b""):
            path.write_bytes(broken)
            with pytest.raises(Damaged, match="cannot be read"):
                data.prove()
        path.unlink()
        with pytest.raises(Damaged, match="cannot be read"):
            data.prove()
        path.write_bytes(content)
    data.prove()


KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
PARTS = st.sampled_from(["p", "q"])
INS = pa.schema([("doc_id", pa.string()), ("part", pa.string())])
OUTS = pa.schema([*INS, ("fate", pa.int32())])


def is_right(ins: dict[str, str], outs: list[tuple[str | None, str | None, int]]) -> bool:
    times = Counter(key for key, _, _ in outs)
    once = set(times) == set(ins) and set(times.values()) <= {1}
    return once and all(part in (None, ins[key or ""]) for key, part, _ in outs)


def test_the_balance_is_that_of_sets() -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=50)
    @given(
        ins=st.dictionaries(KEYS, PARTS),
        outs=st.lists(
            st.tuples(st.none() | KEYS, st.none() | PARTS, st.integers(1, 3)), max_size=6
        ),
        is_honest=st.booleans(),
    )
    def check(
        ins: dict[str, str], outs: list[tuple[str | None, str | None, int]], is_honest: bool
    ) -> None:
        if is_honest:
            outs = [(key, part, 1 + len(outs) % 3) for key, part in ins.items()]
        tables = {
            "ins": pa.Table.from_pylist([{"doc_id": k, "part": p} for k, p in ins.items()], INS),
            "outs": pa.Table.from_pylist(
                [{"doc_id": k, "part": p, "fate": f} for k, p, f in outs], schema=OUTS
            ),
        }
        with connect(tables) as connection:
            tally, findings = balance(connection)
        assert (findings == []) == is_right(ins, outs)
        assert tally.num_in == len(ins)
        assert tally.kept + tally.dropped + tally.quarantined == len(outs)
        seen[is_right(ins, outs)] += 1

    check()
    assert min(seen[True], seen[False]) > 5
