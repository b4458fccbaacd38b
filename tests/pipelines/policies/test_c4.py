import duckdb
import pyarrow as pa
import pytest

from pipelines.edits.c4_lines import FIELDS
from pipelines.policies.c4 import DIALECTS
from pipelines.policies.expressions import signals_of_rules
from pipelines.signals.c4 import FAMILY

SCHEMA = pa.schema([pa.field("doc_id", pa.string()), *FIELDS, *FAMILY.fields])
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def reason_of(dialect, **signals):
    """Return the first rule that drops a document whose other signals are 0, as none would."""
    row = {name: [signals.get(name, 0)] for name in SCHEMA.names if name != "doc_id"}
    table = pa.table(row)
    with duckdb.connect() as connection:
        connection.register("row", table)
        for rule in BY_NAME[dialect].rules:
            if connection.sql(f"SELECT {rule.condition} FROM row").fetchall() == [(True,)]:
                return rule.reason
    return None


@pytest.mark.parametrize("dialect", DIALECTS, ids=BY_NAME)
def test_rules_mention_signals_that_there_are(dialect):
    rules = [(rule.reason, rule.condition) for rule in dialect.rules]
    assert all(len(signals) == 1 for signals in signals_of_rules(rules, SCHEMA))
    assert all(rule.source for rule in dialect.rules)
    assert "@" in dialect.name


@pytest.mark.parametrize("dialect", ["c4@datatrove-0.10", "c4_any_ending@datatrove-0.10"])
def test_after_the_edit_what_it_met_first_is_the_reason(dialect):
    assert reason_of(dialect, num_c4_edit_sentences=5) is None
    assert reason_of(dialect, num_c4_edit_sentences=4) == "c4.too_few_sentences"
    assert reason_of(dialect, num_c4_edit_lorem_ipsum=1) == "c4.lorem_ipsum"
    assert reason_of(dialect, num_c4_edit_curly_brackets=1) == "c4.curly_bracket"


def test_paragraphs():
    assert reason_of("c4_paragraphs@datatrove-0.10", num_c4_third_line_chars=200) is None
    kept = reason_of("c4_paragraphs@datatrove-0.10", num_c4_third_line_chars=199)
    assert kept == "c4.few_paragraphs"


def test_own_dialect():
    assert reason_of("c4@millrace-1", num_c4_sentences=3) is None
    assert reason_of("c4@millrace-1", num_c4_sentences=2) == "c4.few_sentences"
    assert reason_of("c4@millrace-1", num_c4_lorem_ipsum_lines=1) == "c4.lorem_ipsum"
    assert reason_of("c4@millrace-1", num_c4_curly_bracket_lines=1) == "c4.curly_bracket"
