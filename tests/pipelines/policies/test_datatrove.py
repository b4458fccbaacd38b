import math
import operator
import re
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from deciding import first_reasons, measure
from threshold_texts import all_cases

from pipelines.policies.datatrove import DIALECTS, GOPHER, GOPHER_QUALITY, GOPHER_REPETITION
from pipelines.policies.expressions import signals_of_rules
from pipelines.signals import datatrove_lines, datatrove_repetition, datatrove_words

FAMILIES = (datatrove_repetition.FAMILY, datatrove_words.FAMILY, datatrove_lines.FAMILY)
RULE = re.compile(r"(\w+) ([<>=]) ([0-9.]+)")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_rules_mention_these_signals_only(dialect):
    schema = pa.schema(
        [
            pa.field("doc_id", pa.string()),
            *(field for family in FAMILIES for field in family.fields),
        ]
    )
    pairs = [(rule.reason, rule.condition) for rule in dialect.rules]
    assert all(len(names) == 1 for names in signals_of_rules(pairs, schema))
    assert all(RULE.fullmatch(condition) for _, condition in pairs)
    assert len({reason for reason, _ in pairs}) == len(pairs) >= 5


def test_gopher_is_repetition_and_then_quality():
    assert GOPHER.rules == GOPHER_REPETITION.rules + GOPHER_QUALITY.rules


def test_texts_at_thresholds_are_decided_by_the_rule_they_are_made_for():
    cases = defaultdict(list)
    for case in all_cases():
        cases[case.dialect].append(case)
    for dialect in DIALECTS:
        if dialect is GOPHER:
            continue
        texts = [case.text for case in cases[dialect.name]]
        signals = measure(FAMILIES, texts)
        reasons = first_reasons(dialect, signals)
        assert reasons == [case.reason if case.drops else None for case in cases[dialect.name]]
        check_that_thresholds_are_met(dialect, cases[dialect.name], signals.to_pylist())


def check_that_thresholds_are_met(dialect, cases, signals):
    """For each rule there is a text at the threshold itself, and one a little to either side."""
    for reason, condition, _ in dialect.rules:
        signal, sign, number = RULE.fullmatch(condition).groups()
        threshold = float(number)
        touched = Counter()
        for case, values in zip(cases, signals, strict=True):
            if case.reason != reason:
                continue
            value = values[signal]
            near = math.isclose(value, threshold, rel_tol=0.11) or abs(value - threshold) == 1
            touched["at"] += value == threshold
            touched["dropped"] += near and case.drops
            touched["kept"] += near and not case.drops and value != threshold
            holds = {"<": operator.lt, ">": operator.gt, "=": operator.eq}[sign]
            assert holds(value, threshold) == case.drops
        assert min(touched[what] for what in ("at", "dropped", "kept")) > 0, (reason, touched)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", (None, "gopher.short_doc", "gopher.short_doc", "fineweb.empty")),
        # Between two empty lines: one is a copy.
        (
            "\n",
            ("gopher.dup_line_frac", "gopher.short_doc", "gopher.dup_line_frac", "fineweb.empty"),
        ),
        (
            "a.\n\na.",
            (
                "gopher.dup_para_frac",
                "gopher.short_doc",
                "gopher.dup_para_frac",
                "fineweb.short_line_ratio",
            ),
        ),
        ("word", (None, "gopher.short_doc", "gopher.short_doc", "fineweb.line_punct_ratio")),
    ],
)
def test_little_texts(text, reasons):
    signals = measure(FAMILIES, [text])
    assert tuple(first_reasons(dialect, signals)[0] for dialect in DIALECTS) == reasons
