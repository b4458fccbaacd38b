"""What an incremental step finds of its last partition, which never changes what it writes."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_steps import LINES, Config, list_folder, read_lines

from store.errors import Damaged, NotReproducible
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Output, Step

READ = Step("read_lines", 1, "source", read_lines, Config, LINES, list_parts=list_folder)
COUNTED = pa.schema([("text", pa.string()), ("num_chars", pa.int64())])


def count_lines(inputs, config):
    """Measure every distinct line, those that were measured before not again."""
    texts = {text for part in inputs.parts["lines"] for text in part.table()["text"].to_pylist()}
    known = {}
    if inputs.previous is not None:
        rows = inputs.previous.table().to_pylist()
        known = {row["text"]: row["num_chars"] for row in rows if row["text"] in texts}
    sizes = {text: known.get(text, len(text) * config.value) for text in texts}
    rows = pa.table([sorted(sizes), [sizes[text] for text in sorted(sizes)]], schema=COUNTED)
    return Output(rows, facts={"known": len(known), "measured": len(texts) - len(known)})


COUNT = Step(
    "count_lines",
    1,
    "whole",
    count_lines,
    Config,
    COUNTED,
    {"lines": "all"},
    emits="model",
    incremental=True,
)


def write_file(folder, name, lines):
    (folder / name).write_text("\n".join(lines))


def run(home, corpus, step=COUNT, value=1, force=False):
    """Run both steps; return the receipt of the second."""
    graph = Graph(
        [Node(READ, Config(folder=str(corpus))), Node(step, Config(value), {"lines": "read_lines"})]
    )
    plans = {}
    with Runner(home) as runner:
        for node in graph:
            plan = plan_node(home, node, plans)
            result = runner.run(plan, force=force and node.name == step.name)
            plans[node.name] = plan_node(home, node, plans)
    (receipt,) = result.dataset.parts
    return receipt


def test_a_first_run_finds_nothing_and_a_second_what_the_first_made(home, corpus):
    first = run(home, corpus)
    assert first.facts["known"] == 0
    assert first.facts["measured"] > 3
    write_file(corpus, "z.txt", ["an entirely new line", "and one more of them"])
    second = run(home, corpus)
    assert second.facts == {"known": first.facts["measured"], "measured": 2}


def test_the_same_is_written_with_and_without(home, corpus, quick_path):
    from store.storage import Storage

    run(home, corpus)
    write_file(corpus, "z.txt", ["an entirely new line"])
    with_previous = run(home, corpus)
    alone = run(Storage(str(quick_path / "other")), corpus)
    assert with_previous.facts != alone.facts
    assert (with_previous.digest, with_previous.fingerprint) == (alone.digest, alone.fingerprint)


def test_the_newest_is_taken(home, corpus):
    run(home, corpus)
    for number in range(3):
        write_file(corpus, f"z{number}.txt", [f"line {number} of the nights"])
        assert run(home, corpus).facts["measured"] == 1


@pytest.mark.parametrize("other", ["version", "config", "name"])
def test_what_was_made_otherwise_is_not_taken(home, corpus, other):
    run(home, corpus)
    step, value = COUNT, 1
    if other == "version":
        step = replace(COUNT, version=2)
    elif other == "name":
        step = replace(COUNT, name="count_others")
    else:
        value = 2
    receipt = run(home, corpus, step, value)
    assert receipt.facts["known"] == 0
    assert receipt.facts["measured"] > 3


def test_force_measures_everything_again(home, corpus):
    """A first value that was wrong would otherwise be handed on for ever."""

    def wrong(inputs, config):
        output = count_lines(inputs, config)
        if inputs.previous is not None:
            sizes = pa.array([0] * len(output.rows), pa.int64())
            output.rows = pa.table([output.rows["text"], sizes], schema=COUNTED)
        return output

    step = replace(COUNT, run=wrong)
    run(home, corpus, step)
    write_file(corpus, "z.txt", ["an entirely new line"])
    run(home, corpus, step)
    with pytest.raises(NotReproducible, match="count_lines is not reproducible"):
        run(home, corpus, step, force=True)


def test_a_receipt_that_is_none_is_passed_over(home, corpus):
    first = run(home, corpus)
    (name,) = (n for n, _, _ in home.list("parts/count_lines") if n.endswith(".json"))
    home.replace(name, home.read(name)[:40])
    write_file(corpus, "z.txt", ["an entirely new line"])
    assert run(home, corpus).num_rows == first.num_rows + 1


def test_a_damaged_one_is_told(home, corpus):
    first = run(home, corpus)
    path = home.local_path(first.data_name())
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    texts = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start = texts.dictionary_page_offset or texts.data_page_offset
    data[start + texts.total_compressed_size - 1] ^= 0xFF
    path.write_bytes(data)
    write_file(corpus, "z.txt", ["an entirely new line"])
    with pytest.raises(Damaged, match="count_lines"):
        run(home, corpus)
