import duckdb
import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.policies import dclm
from pipelines.policies.expressions import signals_of_rules
from pipelines.signals import characters, dclm_gopher, words
from pipelines.signals.family import SignalsConfig

FAMILIES = (characters.FAMILY, words.FAMILY, dclm_gopher.FAMILY)
SCHEMA = pa.schema(
    [pa.field("doc_id", pa.string()), *(field for family in FAMILIES for field in family.fields)]
)
NUMBERS = [f"n{number:03d}" for number in range(60)]
ORDINARY = ["the cat and", *NUMBERS]


def answers_of(text, conditions):
    batch = text_batch(pa.array([text]))
    signals: dict = {}
    for family in FAMILIES:
        signals |= family.measure(batch, SignalsConfig())
    with duckdb.connect() as connection:
        connection.register("row", pa.table(signals))
        (answers,) = connection.sql(f"SELECT {', '.join(conditions)} FROM row").fetchall()
    return answers


def reasons_of(text):
    """Return all rules that drop a text, in their order."""
    answers = answers_of(text, [rule.condition for rule in dclm.DIALECT.rules])
    rules = zip(dclm.DIALECT.rules, answers, strict=True)
    return [rule.reason.removeprefix("dclm_gopher.") for rule, holds in rules if holds]


def test_rules_mention_signals_that_there_are():
    rules = [(rule.reason, rule.condition) for rule in dclm.DIALECT.rules]
    assert all(signals_of_rules(rules, SCHEMA))
    assert all(rule.source for rule in dclm.DIALECT.rules)
    assert len({rule.reason for rule in dclm.DIALECT.rules}) == len(rules) == 20


@pytest.mark.parametrize(
    ("reasons", "pieces"),
    [
        ([], ORDINARY),
        (["page_length"], ["the cat and", *NUMBERS[:46]]),
        ([], ["the cat and", *NUMBERS[:47]]),
        (["page_length"], ["the cat and", *NUMBERS[:46], '"quoted"']),  # begins with a mark
        (["word_length"], ["the cat and", *(chr(0x4E00 + number) for number in range(60))]),
        (["word_length"], ["the cat and", *(number * 3 for number in NUMBERS)]),
        (["many_symbols"], ["the cat and", *NUMBERS, ". . . a...b #1 2…d ####"]),
        (
            ["many_bullets"],
            ["* the cat and", *(f"\n● {n}a {n}b {n}c {n}d {n}e {n}f" for n in NUMBERS)],
        ),
        (
            ["many_ellipsis_lines"],
            ["the cat and ...\n1 . . .\n2 …\n3 …\n4 …\na\nb\nc\nd\ne\nf", *NUMBERS],
        ),
        (["few_alphabetic_words"], ["the cat and", *NUMBERS[:47], *(f"{n}00" for n in range(13))]),
        (["few_stop_words"], ["there cat and", *NUMBERS]),
        ([], ["THE cat The", *NUMBERS]),  # a second copy counts, in any case
        # two of six lines: every copy counts
        (
            ["duplicate_lines"],
            ["\n same\nsame\n", *NUMBERS[:9], "\n the", *NUMBERS[9:], "\nthe\n\n end"],
        ),
        (
            ["duplicate_paragraphs"],
            [
                "x\n\nsame\n\n same\n\nz\n\ny\n",
                *("\n" + number for number in NUMBERS),
                "\n and the",
            ],
        ),
        (["repeated_2_grams"], ["the and", *(f"first{n} yes yes 1{n}" for n in NUMBERS[:15])]),
    ],
)
def test_reasons(reasons, pieces):
    assert reasons_of(" ".join(pieces)) == reasons


def test_what_repeats_is_dropped():
    repeats = [f"repeated_{size}_grams" for size in range(5, 11)]
    lines, paragraphs = ["duplicate_lines"], ["duplicate_paragraphs"]
    twice = "\n\n".join([" ".join(ORDINARY)] * 2)
    chars = ["duplicate_lines_chars", "duplicate_paragraphs_chars"]
    assert reasons_of(twice) == [*lines, *paragraphs, *chars, *repeats]


def test_blank_text_is_dropped_by_all_that_need_words_or_lines():
    expected = ["page_length", "word_length", "many_symbols", "few_alphabetic_words"]
    expected += ["few_stop_words", "duplicate_lines", "duplicate_paragraphs"]
    expected += ["duplicate_lines_chars", "duplicate_paragraphs_chars"]
    assert reasons_of("") == reasons_of(" \n\n ") == expected


def test_thresholds_are_those_that_are_asked():
    text = "- a\n-b\nc"
    conditions = [dclm.bullet_count(0.66), dclm.bullet_count(0.67), dclm.page_length(2, 2)]
    assert answers_of(text, conditions) == (True, False, False)


@pytest.mark.parametrize("ratio", [0.3, 0.9])
def test_shares_of_lines_are_compared_as_in_floating_point(ratio):
    # dclm multiplies in floating point, the rule in decimals: no number of lines tells them apart
    for lines in range(10, 1_000_000, 10):
        assert ratio * lines == round(ratio * 10) * lines // 10
