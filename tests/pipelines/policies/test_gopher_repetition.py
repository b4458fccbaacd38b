from itertools import islice

import pytest
from deciding import first_reasons, measure
from threshold_texts import made_up, one_repeated_line, repeated_lines

from pipelines.policies.gopher_repetition import DIALECT
from pipelines.signals import lines, repetition


def reason_of(text):
    (reason,) = first_reasons(DIALECT, measure((lines.FAMILY, repetition.FAMILY), [text]))
    return reason


def phrases(n, percent, drops):
    """Return a text with half a percent of characters more, or less, in copies of ``n`` words."""
    phrase = list(islice(made_up(5), n))
    times = percent if n < 5 else percent + 1  # of the longer ones, the first is no copy
    head = [word for other in islice(made_up(5), times) for word in (*phrase, other.upper())]
    num_chars = 100 * percent * 5 * n / (percent + 0.5 if drops else percent - 0.5)
    rest = islice(made_up(7), round((num_chars - 5 * len(head)) / 7))
    return " ".join([*head, *rest])


CASES = [
    (repeated_lines(31, "\n\n"), "gopher.duplicate_paragraphs"),
    (repeated_lines(30, "\n\n"), None),
    (one_repeated_line(2950, "\n\n"), "gopher.duplicate_paragraph_chars"),
    (one_repeated_line(3050, "\n\n"), None),
    (repeated_lines(31, "\r\n"), "gopher.duplicate_lines"),
    (repeated_lines(30, " \n"), None),
    (one_repeated_line(2950, "\n"), "gopher.duplicate_line_chars"),
    (one_repeated_line(3050, "\n"), None),
    *[
        (phrases(n, percent, drops), f"gopher.top_{n}grams" if drops else None)
        for n, percent in ((2, 20), (3, 18), (4, 16))
        for drops in (True, False)
    ],
    *[
        (phrases(n, percent, drops), f"gopher.duplicated_{n}grams" if drops else None)
        for n, percent in ((5, 15), (6, 14), (7, 13), (8, 12), (9, 11), (10, 10))
        for drops in (True, False)
    ],
    ("", None),
]


@pytest.mark.parametrize(("text", "reason"), CASES)
def test_first_reason(text, reason):
    assert reason_of(text) == reason


def test_every_rule_is_met():
    assert {reason for _, reason in CASES} == {rule.reason for rule in DIALECT.rules} | {None}
