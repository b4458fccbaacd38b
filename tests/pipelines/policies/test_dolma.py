import duckdb
import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.policies.dolma import DIALECT
from pipelines.policies.expressions import signals_of_rules
from pipelines.signals import characters, dolma_gopher, words
from pipelines.signals.family import SignalsConfig

FAMILIES = (characters.FAMILY, words.FAMILY, dolma_gopher.FAMILY)
SCHEMA = pa.schema(
    [pa.field("doc_id", pa.string()), *(field for family in FAMILIES for field in family.fields)]
)
NUMBERS = [f"n{number:03d}" for number in range(60)]
ORDINARY = ["the cat and", *NUMBERS]


def reasons_of(text):
    """Return all rules that drop a text, in their order."""
    batch = text_batch(pa.array([text]))
    signals: dict = {}
    for family in FAMILIES:
        signals |= family.measure(batch, SignalsConfig())
    with duckdb.connect() as connection:
        connection.register("row", pa.table(signals))
        conditions = ", ".join(rule.condition for rule in DIALECT.rules)
        (answers,) = connection.sql(f"SELECT {conditions} FROM row").fetchall()
    return [rule.reason for rule, holds in zip(DIALECT.rules, answers, strict=True) if holds]


def test_rules_mention_signals_that_there_are():
    rules = [(rule.reason, rule.condition) for rule in DIALECT.rules]
    assert all(len(signals) == 1 for signals in signals_of_rules(rules, SCHEMA))
    assert all(rule.source for rule in DIALECT.rules)
    assert len({rule.reason for rule in DIALECT.rules}) == len(rules) == 17


@pytest.mark.parametrize(
    ("reasons", "pieces"),
    [
        ([], ORDINARY),
        (["short_doc"], ["the cat and", *NUMBERS[:46]]),
        ([], ["the cat and", *NUMBERS[:47]]),
        (["short_words"], ["the cat and", *(chr(0x4E00 + number) for number in range(60))]),
        (["long_words"], ["the cat and", *(number * 3 for number in NUMBERS)]),
        (
            ["many_symbols"],
            ["the cat and", *NUMBERS[7:], *["#1", "2…", "x#", "##", "…", "…b", "#c"]],
        ),
        (["few_alphabetic_words"], ["the cat and", *NUMBERS[:47], *(f"{n}000" for n in range(13))]),
        (["few_required_words"], ["The cat and", *NUMBERS]),
        ([], ["the cat the", *NUMBERS]),  # a second copy counts
        (["many_bullets"], ["* the cat and", *("\n-" + number for number in NUMBERS)]),
        (
            ["many_ellipsis_lines"],
            ["the cat and …\n1 …\n2 …\n3 …\n4 …\na\nb\nc\nd\ne\nf", *NUMBERS],
        ),
        # two of six lines: every copy counts
        (
            ["duplicate_lines"],
            ["same\nsame\n", *NUMBERS[:9], "\n the", *NUMBERS[9:], "\nthe\n end"],
        ),
        (["duplicate_lines"], ["\n\n\nthe cat\nand", *NUMBERS]),  # empty lines
    ],
)
def test_reasons(reasons, pieces):
    assert reasons_of(" ".join(pieces)) == [f"dolma_gopher.{reason}" for reason in reasons]


def test_what_repeats_is_dropped():
    found = reasons_of("\n".join([" ".join(ORDINARY)] * 2))
    expected = [f"duplicate_{size}_grams" for size in range(5, 11)]
    assert found == [
        f"dolma_gopher.{reason}"
        for reason in ["duplicate_lines", "duplicate_lines_chars", *expected]
    ]


def test_most_frequent_ngrams_drop_nothing():
    # Over a fifth of the characters are "yes yes": a rule that Dolma's configuration misspells.
    text = " ".join(["the cat and", *(f"{n} yes yes 1{n}" for n in "abcdefghijklmnopqrstuv")])
    batch = text_batch(pa.array([text]))
    values = dolma_gopher.FAMILY.measure(batch, SignalsConfig())
    assert values["dolma_top_2_gram_chars_ratio"][0] > 0.2
    assert reasons_of(text) == []


def test_empty_text_is_too_short():
    assert reasons_of("")[0] == "dolma_gopher.short_doc"
