import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_part import inputs_of

from data_contracts.documents import DECISIONS
from pipelines.apply_policy import PolicyConfig, apply_policy, policy_sql, signals_asked
from pipelines.policies.dialects import DIALECTS

RULES = (
    ("len.short", "num_words < 5"),
    ("share.high", "upper_chars_ratio > 0.5"),
    ("len.even", "num_words % 2 = 0"),
)


def signals(rows):
    words, shares = zip(*rows, strict=True) if rows else ((), ())
    return pa.table(
        {
            "doc_id": pa.array([f"{i:04d}" for i in range(len(rows))], pa.string()),
            "num_words": pa.array(words, pa.int64()),
            "upper_chars_ratio": pa.array(shares, pa.float64()),
        }
    )


def expected(words, share):
    """The rules in Python, NULL not matching."""
    if words is not None and words < 5:
        return "len.short", {"num_words": words}
    if share is not None and share > 0.5:
        return "share.high", {"upper_chars_ratio": share}
    if words is not None and words % 2 == 0:
        return "len.even", {"num_words": words}
    return None, None


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 12), st.none() | st.floats(0, 1, width=32)),
        max_size=30,
    )
)
def test_the_first_rule_that_matches_decides(rows):
    output = apply_policy(inputs_of(signals=signals(rows)), PolicyConfig(rules=RULES))
    assert output.rows.schema.equals(DECISIONS)
    decided = output.rows.to_pylist()
    assert [row["doc_id"] for row in decided] == [f"{i:04d}" for i in range(len(rows))]
    for row, (words, share) in zip(decided, rows, strict=True):
        reason, values = expected(words, share)
        assert (row["keep"], row["reason"]) == (reason is None, reason)
        assert (json.loads(row["values"]) if row["values"] else None) == values


def test_order_matters_and_is_part_of_the_config():
    turned = tuple(reversed(RULES))
    table = signals([(4, 0.9)])
    first = apply_policy(inputs_of(signals=table), PolicyConfig(rules=RULES)).rows
    second = apply_policy(inputs_of(signals=table), PolicyConfig(rules=turned)).rows
    assert (first["reason"][0].as_py(), second["reason"][0].as_py()) == ("len.short", "len.even")


def test_no_rules_keep_everything():
    rows = apply_policy(inputs_of(signals=signals([(1, 1.0)])), PolicyConfig()).rows
    assert rows.to_pylist() == [{"doc_id": "0000", "keep": True, "reason": None, "values": None}]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_binds_to_the_signals_that_there_are(dialect):
    assert "WHEN" in policy_sql(PolicyConfig(use=(dialect,)).all_rules())


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_rule_says_where_it_is_from(dialect):
    assert DIALECTS[dialect].description
    assert all(len(rule.source) > 10 for rule in DIALECTS[dialect].rules)
    reasons = [rule.reason for rule in DIALECTS[dialect].rules]
    assert len(set(reasons)) == len(reasons) > 0


def test_a_dialect_can_be_asked_of_the_edited_text():
    plain = PolicyConfig(use=("gopher@millrace-1",)).all_rules()
    edited = PolicyConfig(use=("edited:gopher@millrace-1",)).all_rules()
    assert [reason for reason, _ in edited] == [reason for reason, _ in plain]
    asked = zip(signals_asked(plain), signals_asked(edited), strict=True)
    assert all(after == tuple(f"edited_{name}" for name in before) for before, after in asked)
    assert len(plain) == 10


def test_only_the_signals_of_the_rules_are_read():
    table = signals([(4, 0.9)])
    inputs = inputs_of(signals=table)
    read = []
    part = inputs.one("signals")
    table_of = part.table
    part.table = lambda columns: read.append(columns) or table_of(columns)
    assert apply_policy(inputs, PolicyConfig(rules=RULES[:1])).rows["keep"].to_pylist() == [False]
    assert read == [["doc_id", "num_words"]]
