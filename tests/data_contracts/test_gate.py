"""The gate: Great Expectations' judgements, held against plain loops over the rows."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts import gate
from data_contracts.errors import ContractError
from data_contracts.gate import Expectation, check_expectations, judge
from data_contracts.results import MAX_SAMPLES

IN_SET = "expect_column_values_to_be_in_set"
BETWEEN = "expect_column_values_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"
REGEX = "expect_column_values_to_match_regex"


def one(frame: pa.Table, type_: str, **kwargs: Any) -> gate.Judgement:
    (found,) = judge(frame, [Expectation("rule", type_, kwargs)])
    return found


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "", "é", "c\x00d", "\n", "日本"]),
        st.sampled_from([None, -1, 0, 1, 2, 2**53 + 1]),
        st.sampled_from([None, -1.0, 0.0, 0.5, 1.0, math.nan, math.inf]),
    ),
    min_size=1,
    max_size=40,
)


def test_rows_are_judged_as_a_loop_judges_them():
    seen: Counter[str] = Counter()
    asked = {
        "set": (
            IN_SET,
            "s",
            {"value_set": ["a", "é", "c\x00d"]},
            lambda v: v in ("a", "é", "c\x00d"),
        ),
        "whole": (IN_SET, "i", {"value_set": [1, 2**53]}, lambda v: v in (1, 2**53)),
        "range": (BETWEEN, "i", {"min_value": 0, "max_value": 5}, lambda v: 0 <= v <= 5),
        "share": (BETWEEN, "x", {"min_value": 0, "max_value": 1}, lambda v: 0 <= v <= 1),
        "above": (BETWEEN, "x", {"min_value": 0, "strict_min": True}, lambda v: v > 0),
    }
    expectations = [
        Expectation(rule, type_, {"column": column, **kwargs})
        for rule, (type_, column, kwargs, _) in asked.items()
    ]

    @settings(max_examples=15)
    @given(FRAMES)
    @example([("b", -1, -1.0), (None, None, None), ("é", 1, math.nan), ("a", 2**53, 0.5)])
    def check(rows: list[tuple[Any, ...]]) -> None:
        types = {"s": pa.string(), "i": pa.int64(), "x": pa.float64()}
        columns = dict(zip(types, map(list, zip(*rows, strict=True)), strict=True))
        frame = pa.table({name: pa.array(columns[name], types[name]) for name in types})
        for (_, column, _, holds), found in zip(
            asked.values(), judge(frame, expectations), strict=True
        ):
            broken = [i for i, v in enumerate(columns[column]) if v is not None and not holds(v)]
            assert found.problem is None
            assert (found.num_checked, found.num_broken) == (len(rows), len(broken))
            assert found.kept == (not broken)
            assert list(found.rows) == broken[:MAX_SAMPLES]
            assert [str(v) for v in found.values] == [str(columns[column][i]) for i in found.rows]
            seen[found.rule] += bool(broken)

    check()
    assert min(seen[rule] for rule in asked) > 0, seen


def test_judgements_come_in_the_order_of_the_expectations_and_equal_ones_all_come():
    frame = pa.table({"s": ["a", "b", None, "a"]})
    asked = [
        Expectation("z", IN_SET, {"column": "s", "value_set": ["a"]}),
        Expectation("a", IN_SET, {"column": "s", "value_set": ["a"]}),
        Expectation("m", UNIQUE, {"column": "s"}),
        Expectation("b", NOT_NULL, {"column": "s"}),
        Expectation("c", IN_SET, {"column": "s", "value_set": ["b"]}),
    ]
    found = judge(frame, asked)
    assert [(f.rule, f.num_broken, f.rows) for f in found] == [
        ("z", 1, (1,)),
        ("a", 1, (1,)),
        ("m", 2, (0, 3)),
        ("b", 1, (2,)),
        ("c", 2, (0, 3)),
    ]
    assert judge(frame, []) == []


@pytest.mark.parametrize("distinct", [5, 2000, 20_000])
def test_positions_are_right_whether_strings_are_categories_or_not(distinct):
    values = [f"v{(i * 7919) % distinct}" for i in range(25_000)]
    wrong = [17, 999, 1000, 20_001, 24_999]
    for position in wrong:
        values[position] = "not\x00one"
    frame = pa.table({"s": values})
    found = one(frame, REGEX, column="s", regex="^v[0-9]+$")
    assert (found.rows, found.num_broken) == (tuple(wrong), len(wrong))
    assert set(found.values) == {"not\x00one"}


def test_chunks_and_dictionaries_change_nothing():
    values = ["a", "b", None, "c"] * 600
    plain = pa.table({"s": pa.array(values)})
    chunked = pa.table({"s": pa.chunked_array([values[:7], values[7:1500], values[1500:]])})
    expected = one(plain, IN_SET, column="s", value_set=["a", "b"])
    assert expected.num_broken == 600
    assert one(chunked, IN_SET, column="s", value_set=["a", "b"]) == expected


def test_mostly_is_of_the_values_that_are_there():
    frame = pa.table({"x": [0.5, 0.5, 0.5, math.nan, None, None]})
    assert not one(frame, BETWEEN, column="x", min_value=0, max_value=1).kept
    assert one(frame, BETWEEN, column="x", min_value=0, max_value=1, mostly=0.75).kept
    assert not one(frame, BETWEEN, column="x", min_value=0, max_value=1, mostly=0.76).kept


def test_a_frame_without_rows_breaks_nothing_that_is_of_rows():
    empty = pa.table({"s": pa.array([], pa.string())})
    assert one(empty, IN_SET, column="s", value_set=["a"]).kept
    assert not one(empty, "expect_table_row_count_to_be_between", min_value=1).kept


@pytest.mark.parametrize(
    ("type_", "kwargs", "said"),
    [
        (IN_SET, {"column": "no", "value_set": ["a"]}, "does not exist"),
        (REGEX, {"column": "s", "regex": "("}, "parenthesis|missing"),
        (BETWEEN, {"column": "x", "min_value": 2, "max_value": 1}, "greater"),
        ("expect_column_mean_to_be_between", {"column": "s", "min_value": 0}, "mean"),
        (BETWEEN, {"column": "s", "min_value": 0}, "."),
    ],
)
def test_what_cannot_be_judged_is_broken_and_says_why(type_, kwargs, said):
    found = one(pa.table({"s": ["a", "b"], "x": [1.0, 2.0]}), type_, **kwargs)
    assert not found.kept
    assert found.num_broken > 0
    assert found.problem
    assert re.search(said, found.problem)


@pytest.mark.parametrize(
    ("type_", "kwargs"),
    [
        ("expect_column_values_to_be_nice", {"column": "s"}),
        ("ExpectColumnValuesToBeInSet", {"column": "s", "value_set": [1]}),
        ("", {}),
        ("__class__", {}),
        (IN_SET, {"column": "s", "valueset": ["a"]}),
        (IN_SET, {"column": "s"}),
        (IN_SET, {"value_set": ["a"]}),
        (BETWEEN, {"column": "s"}),
        (IN_SET, {"column": "s", "value_set": ["a"], "mostly": 2}),
    ],
)
def test_what_is_no_expectation_is_refused_by_its_rule(type_, kwargs):
    asked = [Expectation("my_rule", type_, kwargs)]
    with pytest.raises(ContractError, match="my_rule"):
        check_expectations(asked)
    with pytest.raises(ContractError, match="my_rule"):
        judge(pa.table({"s": ["a"]}), asked)


def test_numbers_of_facts_and_of_the_frame_are_told_apart():
    frame = pa.table({"x": [1.0, 2.0, 6.0]})
    mean = one(frame, "expect_column_mean_to_be_between", column="x", min_value=4)
    assert (mean.kept, mean.num_checked, mean.num_broken, mean.observed) == (False, 1, 1, 3.0)
    rows = one(frame, "expect_table_row_count_to_equal", value=3)
    assert (rows.kept, rows.observed) == (True, 3)


QUIET = """
import json, os, socket, sys
asked = []
def refuse(*arguments, **kwargs):
    asked.append(str(arguments))
    raise OSError("no network here")
socket.socket.connect = refuse
socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse
socket.create_connection = refuse
import pyarrow as pa
from data_contracts.gate import Expectation, judge
frame = pa.table({"s": ["a", "b"] * 1000, "x": [1.0, None] * 1000})
found = judge(frame, [
    Expectation("r", "expect_column_values_to_be_in_set", {"column": "s", "value_set": ["a"]}),
    Expectation("q", "expect_column_mean_to_be_between", {"column": "x", "min_value": 5}),
    Expectation("m", "expect_column_values_to_be_unique", {"column": "none"}),
])
with open(os.environ["ANSWER"], "w") as file:
    json.dump({"asked": asked, "kept": [f.kept for f in found]}, file)
"""


def test_it_prints_nothing_calls_nobody_and_writes_no_file(tmp_path: Path):
    home, work, answer = tmp_path / "home", tmp_path / "work", tmp_path / "answer.json"
    home.mkdir()
    work.mkdir()
    environment = {
        "HOME": str(home),
        "TMPDIR": str(work),
        "ANSWER": str(answer),
        "PYTHONPATH": str(Path(gate.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-c", QUIET], capture_output=True, text=True, cwd=work, env=environment
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert json.loads(answer.read_text()) == {"asked": [], "kept": [False, False, False]}
    assert [str(path) for path in (*home.rglob("*"), *work.rglob("*")) if path.is_file()] == []
