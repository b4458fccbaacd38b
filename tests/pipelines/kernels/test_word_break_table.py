import numpy as np
import pytest
from hostile_texts import is_old

from pipelines.kernels import word_break_table as table
from pipelines.kernels.unicode_table import (
    ALPHABETIC,
    DIGIT,
    NUM_CODE_POINTS,
    load_unicode_table,
)

TABLE = table.load_word_break_table()


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (table.OTHER, "中あ!$\u0000\ue000"),
        (table.WHITE_SPACE, " \u2003\u3000"),
        (table.REGIONAL_INDICATOR, "\U0001f1e6\U0001f1ff"),
        (table.KATAKANA, "カﾊ〱"),
        (table.ALETTER, "aÉßΣя한ا"),
        (table.HEBREW_LETTER, "את"),
        (table.NUMERIC, "09٣"),
        (table.EXTEND_NUM_LET, "_‿"),
        (table.MID_LETTER, ":·"),
        (table.MID_NUM, ",;"),
        (table.MID_NUM_LET, ".’"),
        (table.SINGLE_QUOTE, "'"),
        (table.DOUBLE_QUOTE, '"'),
        (table.EXTEND, "\u0301\u00ad\ufeff"),
        (table.ZWJ, "\u200d"),
        (table.CR, "\r"),
        (table.LF, "\n"),
        (table.NEWLINE, "\x0b\x0c\x85\u2028"),
    ],
)
def test_kinds_are_those_of_the_annex(kind, members):
    assert {int(TABLE.classes[ord(char)]) & table.KIND for char in members} == {kind}


def test_every_kind_and_mark_has_characters():
    assert set((TABLE.classes & table.KIND).tolist()) == set(range(table.NUM_KINDS))
    assert len(table.KIND_OF_NAME) == table.NUM_KINDS + 1  # Format and Extend are one
    assert TABLE.classes[ord("\U0001f600")] & table.PICTOGRAPHIC
    assert not TABLE.classes[ord("a")] & table.PICTOGRAPHIC


def test_alphanumeric_is_that_of_str_and_of_the_other_table():
    old = [code for code in range(NUM_CODE_POINTS) if is_old(chr(code))]
    found = [bool(TABLE.classes[code] & table.ALPHANUMERIC) for code in old]
    assert found == [chr(code).isalnum() for code in old]
    assert sum(found) > 90_000
    in_other = load_unicode_table().classes & (ALPHABETIC | DIGIT) != 0
    assert np.all(TABLE.classes[in_other] & table.ALPHANUMERIC)


def test_surrogates_which_stand_for_bad_bytes_are_of_no_kind():
    assert not TABLE.classes[0xD800:0xE000].any()


def test_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        TABLE.classes[0] = 1
