import json
import math
from collections import Counter
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_part import inputs_of

from data_contracts.documents import DECISIONS
from pipelines.apply_policy import PolicyConfig, apply_policy, policy_sql, signals_asked
from pipelines.policies.dialects import DIALECTS
from pipelines.sql import query

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


DECIDING_ANYTHING = (
    ("no.language", "language IS NULL AND num_words IS NOT NULL"),
    ("few.words", "num_words < 0"),
    ("any.share", "upper_chars_ratio > 0 OR num_words < 5"),
    ("the.rest", "true"),
)
VALUES_OF = {
    "no.language": ("num_words", "language"),
    "few.words": ("num_words",),
    "any.share": ("upper_chars_ratio", "num_words"),
    "the.rest": (),
}


def as_json(value):
    """A value as JSON: shortest digits, an exponent below 1e-6 and from 1e21 on."""
    if value is None:
        return "null"
    if not isinstance(value, float):
        return json.dumps(value, ensure_ascii=False)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    size, sign = abs(value), "-" if math.copysign(1, value) < 0 else ""
    if size == 0 or 1e-6 <= size < 1e21:
        plain = f"{Decimal(repr(size)):f}"
        return sign + (plain if "." in plain else plain + ".0")
    digits, exponent = f"{Decimal(repr(size)).normalize():e}".split("e")
    return f"{sign}{digits}e{int(exponent)}"


def test_numbers_as_json_by_hand():
    shown = {
        1.0: "1.0",
        0.1: "0.1",
        -0.0: "-0.0",
        1e-6: "0.000001",
        1.5e-7: "1.5e-7",
        1e16: "10000000000000000.0",
        1.25e20: "125000000000000000000.0",
        1e21: "1e21",
        1e300: "1e300",
        5e-324: "5e-324",
        math.nan: "NaN",
        -math.inf: "-Infinity",
    }
    assert {value: as_json(value) for value in shown} == shown
    rows = pa.table({"doc_id": ["x"] * len(shown), "upper_chars_ratio": pa.array(shown)})
    config = PolicyConfig(rules=(("a", "upper_chars_ratio IS NOT NULL"),))
    values = apply_policy(inputs_of(signals=rows), config).rows["values"].to_pylist()
    assert values == [f'{{"upper_chars_ratio":{text}}}' for text in shown.values()]


def reason_of(row):
    """The rules of `DECIDING_ANYTHING` in Python; NaN is greater than all numbers."""
    words, share = row["num_words"], row["upper_chars_ratio"]
    if row["language"] is None and words is not None:
        return "no.language"
    if words is not None and words < 0:
        return "few.words"
    if share is not None and (share > 0 or math.isnan(share)):
        return "any.share"
    if words is not None and words < 5:
        return "any.share"
    return "the.rest"


SIGNALS_OF_ANYTHING = st.fixed_dictionaries(
    {
        "language": st.none() | st.text(st.characters(codec="utf-8"), max_size=6),
        "num_words": st.none() | st.integers(-(2**63), 2**63 - 1),
        "upper_chars_ratio": st.none() | st.floats(),
    }
)
EDGES = [
    ('"\\\x00\x1f\x7f/é\u2028😀', None, 1e-300),
    (None, 2**63 - 1, 1.0),
    ("", -(2**63), -0.0),
    ("a", None, math.nan),
    ("a", 0, None),
    ("a", None, None),
]


def check_values(rows):
    """Decide rows, compare with the rules in Python; return how often each rule decided."""
    types = {"language": pa.string(), "num_words": pa.int64(), "upper_chars_ratio": pa.float64()}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()}
    table = pa.table({"doc_id": pa.array(map(str, range(len(rows))), pa.string()), **columns})
    decided = apply_policy(inputs_of(signals=table), PolicyConfig(rules=DECIDING_ANYTHING)).rows
    reasons = [reason_of(row) for row in rows]
    for row, reason, decision in zip(rows, reasons, decided.to_pylist(), strict=True):
        pairs = [f'"{name}":{as_json(row[name])}' for name in VALUES_OF[reason]]
        assert (decision["reason"], decision["values"]) == (reason, f"{{{','.join(pairs)}}}")
    assert decided.equals(query(policy_sql(DECIDING_ANYTHING), DECISIONS, signals=table))
    return Counter(reasons)


@settings(max_examples=60)
@given(st.lists(SIGNALS_OF_ANYTHING, max_size=12))
def test_values_are_the_signals_of_the_rule_that_decides(rows):
    check_values(rows)


def test_values_at_the_edges_of_their_types():
    rows = [
        dict(zip(("language", "num_words", "upper_chars_ratio"), row, strict=True)) for row in EDGES
    ]
    assert set(check_values(rows)) == set(VALUES_OF)


def test_ids_stay_beside_their_rows_in_a_table_of_many_chunks():
    chunks = [signals([(words, None)] * 5) for words in range(12)] * 400
    table = pa.concat_tables(chunks)
    ids = [f"{number:08d}" for number in range(len(table))]
    table = table.set_column(0, "doc_id", pa.array(ids))
    decided = apply_policy(inputs_of(signals=table), PolicyConfig(rules=RULES)).rows
    assert decided["doc_id"].to_pylist() == ids
    reasons = [expected(words, None)[0] for words in table["num_words"].to_pylist()]
    assert decided["reason"].to_pylist() == reasons
    assert len(set(reasons)) == 3


def test_a_partition_without_rows_gives_none():
    decided = apply_policy(inputs_of(signals=signals([])), PolicyConfig(rules=RULES)).rows
    assert decided.schema.equals(DECISIONS)
    assert len(decided) == 0
