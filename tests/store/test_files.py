"""Partitions with files of their own beside the rows: a model, token shards."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from store.datasets import StoredPart
from store.errors import Damaged, NotFound, StepFailed
from store.gc import collect_garbage
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Output, Step
from store.storage import Storage
from store.verify import verify

SCHEMA = pa.schema([("name", pa.string())])


@dataclass(frozen=True)
class Weights:
    """``fill`` is the byte that the model file is full of."""

    fill: int = 7
    name: str = "model.bin"


def make_model(inputs, config):
    path = inputs.scratch / "made"
    path.write_bytes(bytes([config.fill]) * 1000)
    return Output(pa.table({"name": ["model"]}, schema=SCHEMA), files={config.name: path})


def sizes(inputs, config):
    part = inputs.one("model")
    length = part.file("model.bin", inputs.scratch).stat().st_size
    return Output(pa.table({"name": [f"{length}"]}, schema=SCHEMA))


MODEL = Step("make_model", 1, "whole", make_model, Weights, SCHEMA, emits="model")
SIZES = Step(
    "sizes",
    1,
    "whole",
    sizes,
    Weights,
    SCHEMA,
    {"model": "all"},
    emits="model",
    accounts_for="model",
)


def run(storage, *configs):
    graph = Graph([Node(MODEL, configs[0]), Node(SIZES, Weights(), {"model": "make_model"})])
    plans, results = {}, []
    with Runner(storage) as runner:
        for node in graph:
            plan = plan_node(storage, node, plans)
            results.append(runner.run(plan))
            plans[node.name] = plan.completed(results[-1].dataset)
    return results


@pytest.fixture(params=["home", "bucket_home"])
def storage(request) -> Storage:
    return request.getfixturevalue(request.param)


def test_files_are_published_reused_and_read_by_later_steps(storage, tmp_path):
    model, read = run(storage, Weights())
    (receipt,) = model.dataset.parts
    assert receipt.files["model.bin"].size_bytes == 1000
    part = StoredPart(storage, receipt, "all")
    assert part.file("model.bin", tmp_path).read_bytes() == b"\x07" * 1000
    (later,) = read.dataset.parts
    assert StoredPart(storage, later, "all").table()["name"].to_pylist() == ["1000"]
    assert [result.num_computed for result in run(storage, Weights())] == [0, 0]
    with pytest.raises(NotFound, match="no file 'other'"):
        part.file("other", tmp_path)


def test_the_content_of_files_is_content(storage):
    first, after_first = run(storage, Weights(1))
    second, after_second = run(storage, Weights(2))
    assert first.dataset.digest != second.dataset.digest
    assert after_first.dataset.fingerprint != after_second.dataset.fingerprint
    assert after_second.num_computed == 1


def test_verify_finds_any_changed_byte_and_repair_sets_the_partition_aside(home):
    model, _ = run(home, Weights())
    (receipt,) = model.dataset.parts
    path: Path = home.local_path(receipt.extra_name("model.bin"))
    data = path.read_bytes()
    assert not verify(home, deep=True).is_damaged()
    found = 0
    for offset in range(0, len(data), 97):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        found += verify(home).is_damaged()
    assert found == len(range(0, len(data), 97))
    verify(home, repair=True)
    assert not path.exists()
    again, _ = run(home, Weights())
    assert again.num_computed == 1
    assert again.dataset.digest == model.dataset.digest
    assert path.read_bytes() == data


def test_a_cut_file_is_damage_to_whoever_reads_it(home, tmp_path):
    model, _ = run(home, Weights())
    (receipt,) = model.dataset.parts
    home.local_path(receipt.extra_name("model.bin")).write_bytes(b"")
    with pytest.raises(Damaged, match=r"model\.bin"):
        StoredPart(home, receipt, "all").file("model.bin", tmp_path)


def test_a_flipped_bit_of_a_file_is_damage_too(home, tmp_path):
    model, _ = run(home, Weights())
    (receipt,) = model.dataset.parts
    path = home.local_path(receipt.extra_name("model.bin"))
    data = path.read_bytes()
    assert StoredPart(home, receipt, "all").file("model.bin", tmp_path) == path
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Damaged, match=r"model\.bin"):
        StoredPart(home, receipt, "all").file("model.bin", tmp_path)


def test_garbage_is_collected_with_its_files(home):
    model, _ = run(home, Weights())
    name = model.dataset.parts[0].extra_name("model.bin")
    collect_garbage(home, delete=True, min_age_seconds=0)
    assert home.size(name) is None
    assert not list(home.list("parts"))


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a\0b"])
def test_a_file_has_a_plain_name(home, name):
    with pytest.raises(StepFailed, match="plain file name"):
        run(home, Weights(name=name))
