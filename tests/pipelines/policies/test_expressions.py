import re

import pyarrow as pa
import pytest

from data_contracts.errors import RecipeError
from pipelines.policies.expressions import FUNCTIONS, of_edited, signals_of_rules
from pipelines.signals.registry import ALL_SIGNALS

SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()),
        ("num_words", pa.int64()),
        ("share", pa.float64()),
        ("lang", pa.string()),
    ]
)


@pytest.mark.parametrize(
    ("condition", "signals"),
    [
        ("num_words < 50", ["num_words"]),
        ("share > 0.5 AND num_words BETWEEN 1 AND 9", ["num_words", "share"]),
        ("lang IN ('de', 'en') OR lang IS NULL", ["lang"]),
        ("CASE WHEN share > 1 THEN true ELSE num_words = 3 END", ["num_words", "share"]),
        ("greatest(num_words, 3) / 2 > share::INTEGER", ["num_words", "share"]),
        ("regexp_matches(lang, '^e') -- English", ["lang"]),
        (
            "sqrt(num_words - 5) > 1 OR ln(share - 1) < 0 OR 1 // num_words > 2",
            ["num_words", "share"],
        ),
        ("lang::INTEGER > 3 AND num_words < '50'", ["num_words", "lang"]),
        ("true", []),
    ],
)
def test_a_condition_names_its_signals_in_schema_order(condition, signals):
    assert signals_of_rules([("a.b", condition)], SCHEMA) == [signals]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("num_word < 3", "did you mean 'num_words'?"),
        ("doc_id < 'a'", "no signal"),
        ("num_words", "must be true or false"),
        ("lang > 3 AND upper(num_words) = 'x'", "does not fit"),
        ("num_words < 'a'", "does not fit its signals: .*'a' to INT64"),
        ("num_words > 100 AND share < 'a'", "'a' to DOUBLE"),
        ("num_words IS NOT NULL AND num_words IN (1, 'b')", "'b' to INT64"),
        ("lang = 'de' AND regexp_matches(lang, '(')", r"missing \)"),
        ("num_words < (SELECT 1)", "subquery"),
        ("EXISTS (SELECT 1)", "subquery"),
        ("count(*) > 1", "count_star"),
        ("sum(num_words) OVER () > 1", "sum"),
        ("random() < 0.5", "random"),
        ("now() > '2020-01-01'", "now"),
        ("getenv('HOME') = ''", "getenv"),
        ("num_words < 3) FROM read_csv('/etc/passwd'", "calls|expression|must be one"),
        ("num_words < 3; DROP TABLE signals", "not a SQL expression"),
        ("num_words < 3, share > 1", "row"),
        ("", "no condition"),
        ("  \n", "no condition"),
        ("*", "uses"),
    ],
)
def test_what_a_rule_may_not_do_is_refused_by_name(condition, said):
    with pytest.raises(RecipeError, match=said) as raised:
        signals_of_rules([("a.b", condition)], SCHEMA)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("reason", ["", "a b", "a.", "1.b", "x'; --", "a..b"])
def test_a_reason_is_an_identifier(reason):
    with pytest.raises(RecipeError, match="identifier"):
        signals_of_rules([(reason, "true")], SCHEMA)


def test_no_allowed_function_depends_on_more_than_its_arguments():
    import duckdb

    rows = duckdb.sql(
        "SELECT DISTINCT function_name, stability, function_type FROM duckdb_functions()"
    ).fetchall()
    known = {name: (stability, kind) for name, stability, kind in rows if kind == "scalar"}
    checked = [name for name in FUNCTIONS if name in known]
    assert len(checked) > 20
    assert {known[name][0] for name in checked} == {"CONSISTENT"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("num_words < 5", "edited_num_words < 5"),
        ("NOT (num_lines > 2 AND 'num_words' = 'x')", "NOT edited_num_lines > 2 AND ''"),
        (
            "CASE WHEN num_words > 0 THEN abs(num_lines) < 3 END",
            "edited_num_words edited_num_lines",
        ),
        ("num_words BETWEEN 1 AND greatest(num_lines, 7)", "edited_num_words edited_num_lines"),
    ],
)
def test_a_condition_is_asked_of_the_edited_text(condition, expected):
    asked = of_edited(condition, "some.reason")
    names = [name for name in ALL_SIGNALS.names if re.search(rf"\b{name}\b", expected)]
    assert signals_of_rules([("some.reason", asked)], ALL_SIGNALS) == [names]
    assert "'num_words'" in asked or "'" not in condition


def test_what_is_no_expression_is_not_asked_of_the_edited_text():
    with pytest.raises(RecipeError, match="not a SQL expression"):
        of_edited("num_words <", "some.reason")
