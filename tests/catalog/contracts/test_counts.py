"""Counting in DuckDB, held against loops in Python over the same rows."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from contract_tables import count
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.contracts.counts import count_in_part, duplicates_sql, num_repeated
from catalog.contracts.queries import ask_examples, ask_number
from catalog.relations import connect

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "",
            " ",
            "a",
            "A",
            "aa",
            "a\x00b",
            "a\nb",
            "a\n",
            "é",
            "é",
            "日本語",
            "🤦🏼‍♂️",
            "'\"\\",
            "%_",
        ]
    ),
    st.text(max_size=4),
)
PATTERNS = ["a+", "a.b", "[a-z]*", "", ".", "\\d{1,3}|", "(?i)A", "[^a]*", "日.*", "\\s"]


def found(rule: Any, *columns: tuple[str, Any], key: tuple[str, ...] = ()) -> Any:
    table = pa.table(dict(columns))
    (tally,) = count_in_part([rule], table, table.schema, key).values()
    return tally


def test_counts_are_those_of_a_loop():
    seen: Counter[str] = Counter()
    valid, missing = ["a", "é", "a\x00b", "'\"\\"], [None, "", "%_"]
    loops = {
        "nullValues": ({}, lambda v: v is None),
        "missingValues": ({"missingValues": missing}, lambda v: v in missing),
        "noNull": ({"missingValues": ["a", "日本語"]}, lambda v: v in ("a", "日本語")),
        "validValues": ({"validValues": valid}, lambda v: v is not None and v not in valid),
        "minLength": ({"minLength": 2}, lambda v: v is not None and len(v) < 2),
        "maxLength": ({"maxLength": 1}, lambda v: v is not None and len(v) > 1),
    }
    for number, pattern in enumerate(PATTERNS):
        compiled = re.compile(pattern, re.DOTALL | re.ASCII)
        loops[f"p{number}"] = (
            {"pattern": pattern},
            lambda v, c=compiled: v is not None and c.fullmatch(v) is None,
        )
    both = {"validValues": ["a", "aa"], "maxLength": 1}
    loops["both"] = (both, lambda v: v is not None and (v not in ("a", "aa") or len(v) > 1))
    metrics = {
        "nullValues": "nullValues",
        "missingValues": "missingValues",
        "noNull": "missingValues",
    }
    rules = {
        name: count(metrics.get(name, "invalidValues"), name, **arguments)
        for name, (arguments, _) in loops.items()
    }

    @settings(max_examples=12)
    @given(st.lists(TEXTS, max_size=30))
    @example(["a", "日本語", None, "", "A", "aaaa", "a\nb", "a\x00b", "🤦🏼‍♂️", "%_", "é"])
    def check(values: list[str | None]) -> None:
        table = pa.table({name: pa.array(values, pa.string()) for name in rules})
        tallies = count_in_part(list(rules.values()), table, table.schema, ())
        for name, (_, breaks) in loops.items():
            tally = tallies[rules[name].name]
            broken = [v for v in values if breaks(v)]
            assert tally.problem is None
            assert (tally.num_checked, tally.num_broken) == (len(values), len(broken)), name
            assert len(tally.samples) == min(10, len(broken))
            seen[name] += bool(broken)

    check()
    assert min(seen[name] for name in loops) > 0, seen


def test_broken_rows_are_named_by_their_key():
    tally = found(
        count("invalidValues", "x", validValues=["a"]),
        ("id", [1, 2, 3]),
        ("x", ["a", "b\x00", None]),
        key=("id",),
    )
    assert (tally.num_broken, tally.samples) == (1, ("id=2, x='b\\x00'",))
    tally = found(count("nullValues"), ("x", [None] * 30), key=("x",))
    assert (tally.num_broken, tally.samples) == (30, ("x=None",) * 10)


def test_numbers_are_counted_too():
    x = ("x", pa.array([1, 2, 2, None, 9], pa.int64()))
    assert found(count("invalidValues", validValues=[1, 2]), x).num_broken == 1
    assert found(count("missingValues", missingValues=[9, None]), x).num_broken == 2
    d = ("x", [0.5, float("nan"), None])
    assert found(count("nullValues"), d).num_broken == 1
    assert found(count("invalidValues", validValues=[0.5, 1]), d).num_broken == 1


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (count("invalidValues", pattern="("), "missing"),
        (count("invalidValues", pattern="(?=a)b"), "invalid perl operator"),
        (count("invalidValues", pattern="a{9999}"), "repetition"),
        (count("nullValues", "no"), "there is no column 'no'"),
        (count("nullValues", "X"), "there is no column 'X'"),
        (count("invalidValues", "n", minLength=2), "length"),
        (count("invalidValues", "n", pattern="a"), "regexp_full_match"),
        (count("invalidValues", "n", validValues=["a"]), "."),
        (count("invalidValues", "x", validValues=[[1]]), "."),
    ],
)
@pytest.mark.parametrize("rows", [0, 3])
def test_what_cannot_be_counted_is_broken_and_leaves_the_others_alone(rule, said, rows):
    table = pa.table({"x": ["a", None, "b"], "n": [1, 2, 3]}).slice(0, rows)
    other = count("nullValues")
    if other.name == rule.name:
        pytest.fail("the two rules must have two names")
    tallies = count_in_part([rule, other], table, table.schema, ("x",))
    assert not tallies[rule.name].kept
    assert re.search(said, str(tallies[rule.name].problem))
    assert tallies[other.name].problem is None
    assert tallies[other.name].num_broken == (1 if rows else 0)


def test_columns_may_have_any_name():
    for name in ('a "b"', "select", "part", "c; DROP", "é\n", "$v0"):
        assert found(count("nullValues", name), (name, [None, 1])).num_broken == 1


def test_repeated_rows_are_those_beyond_the_first_of_each_kind():
    seen = Counter()
    cells = st.sampled_from([None, "", "a", "b", "a\x00", "é"])

    @settings(max_examples=15)
    @given(st.lists(st.tuples(cells, st.sampled_from([None, 1, 2])), max_size=12))
    @example([("a", 1), ("a", 1), (None, 1), (None, 1), ("a", None), ("", 2)])
    @example([("a", 1), ("b", 2)])
    def check(rows: list[tuple[Any, Any]]) -> None:
        table = pa.table(
            {
                "times": pa.array([r[0] for r in rows], pa.string()),
                "n": pa.array([r[1] for r in rows], pa.int64()),
            }
        )
        with connect({"rows": table}) as connection:
            for columns in (["times"], ["n"], ["times", "n"]):
                values = [tuple(row[name] for name in columns) for row in table.to_pylist()]
                there = Counter(v for v in values if None not in v)
                expected = sum(times - 1 for times in there.values())
                sql, examples = duplicates_sql(columns)
                assert ask_number(connection, sql) == expected
                assert num_repeated(connection, columns) == expected
                repeated = [v for v, times in there.items() if times > 1]
                assert len(ask_examples(connection, examples)) == len(repeated)
                seen[len(columns), bool(expected)] += 1

    check()
    assert len(seen) == 4
