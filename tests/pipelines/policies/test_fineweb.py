import pytest
from deciding import first_reasons, measure

from pipelines.policies.fineweb import DIALECT
from pipelines.signals import lines, repetition, words

LONG = "a line of more than thirty characters, number {}"


def reason_of(text):
    (reason,) = first_reasons(
        DIALECT, measure((words.FAMILY, lines.FAMILY, repetition.FAMILY), [text])
    )
    return reason


def text_of(num_punctuated=100, num_short=0, between="\n"):
    made = [LONG.format(number) + "." * (number < num_punctuated) for number in range(100)]
    made[:num_short] = [f"short, number {number}." for number in range(num_short)]
    return between.join(made)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "fineweb.empty"),
        (" \n\u2028 \n", "fineweb.empty"),
        (text_of(11), "fineweb.few_punctuated_lines"),
        (text_of(12), None),
        (text_of(100, 68), "fineweb.many_short_lines"),
        (text_of(100, 67, " \r\n"), None),
        (text_of() + "\n" + LONG.format(7) + "." + LONG.format(8), None),
        (text_of() + ("\n" + LONG.format(7) + ".") * 2, "fineweb.duplicate_line_chars"),
        (text_of(between="\n\n\n"), "fineweb.many_lines"),
        (text_of(between="\n\n"), None),
    ],
)
def test_first_reason(text, reason):
    assert reason_of(text) == reason
