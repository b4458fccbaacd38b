import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from pipelines.kernels import unicode_table
from tools import build_unicode_table

TABLE = unicode_table.load_unicode_table()


def test_table_agrees_with_this_python_where_unicode_does_not_change(tmp_path):
    build_unicode_table.build(tmp_path / "table.npz")
    built = unicode_table.read_unicode_table(tmp_path / "table.npz")
    assert built.unicode_version == unicodedata.unidata_version
    old = [
        code
        for code in range(unicode_table.NUM_CODE_POINTS)
        if built.unicode_version == TABLE.unicode_version
        or unicodedata.ucd_3_2_0.category(chr(code)) != "Cn"
    ]
    assert len(old) > 200_000
    assert np.array_equal(TABLE.classes[old], built.classes[old])
    assert np.array_equal(TABLE.folded[old], built.folded[old])


def test_classes_of_every_old_character_are_those_of_str():
    lists = dict.fromkeys(("isspace", "isalpha", "isdecimal", "isupper"), 0)
    bits = (
        unicode_table.SPACE,
        unicode_table.ALPHABETIC,
        unicode_table.DIGIT,
        unicode_table.UPPER,
    )
    for code in range(0x3000):
        if unicodedata.ucd_3_2_0.category(chr(code)) == "Cn":
            continue
        for method, bit in zip(lists, bits, strict=True):
            is_member = getattr(chr(code), method)()
            assert bool(TABLE.classes[code] & bit) == is_member, (hex(code), method)
            lists[method] += is_member
    assert min(lists.values()) > 20, lists


@pytest.mark.parametrize(
    ("bit", "members", "others"),
    [
        (unicode_table.SPACE, " \n\x1c\u3000", "a\u200b\u0000"),
        (unicode_table.ALPHABETIC, "aßⅎ中\U00010400", "1_ⅷ\u0301"),
        (unicode_table.DIGIT, "09٣", "²½a"),
        (unicode_table.UPPER, "AÉΣⅧ", "aß中ǅ"),
        (unicode_table.LINE_BREAK, "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", " \t\x1f"),
        (unicode_table.PUNCTUATION, ".,-_\"'()#%@。…«", "+<=>^`|~$a"),
        (unicode_table.SYMBOL, "+<=>^`|~$€\U0001f44d", ".a"),
        (unicode_table.INVISIBLE, "\u00ad\u200b\u200d\ufeff", "\u0301 "),
    ],
)
def test_classes_hold_what_their_names_say(bit, members, others):
    assert all(TABLE.classes[ord(char)] & bit for char in members)
    assert not any(TABLE.classes[ord(char)] & bit for char in others)


def test_folding_is_idempotent_and_lengthens_utf8_by_half_at_most():
    assert np.array_equal(TABLE.folded[TABLE.folded], TABLE.folded)
    changed = np.flatnonzero(TABLE.folded != np.arange(unicode_table.NUM_CODE_POINTS))
    assert len(changed) > 1000
    for code in changed:
        before, after = len(chr(code).encode()), len(chr(TABLE.folded[code]).encode())
        assert 2 * after <= 3 * before


def test_surrogates_which_stand_for_bad_bytes_are_in_no_class_and_fold_to_themselves():
    assert not TABLE.classes[0xD800:0xE000].any()
    assert np.array_equal(TABLE.folded[0xD800:0xE000], np.arange(0xD800, 0xE000))


def test_table_cannot_be_changed():
    for array in (TABLE.classes, TABLE.folded):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_reading_the_table_and_the_schema_does_not_import_numba():
    program = (
        "import sys; import pipelines.compute_signals, pipelines.dedupe.compute_signatures, "
        "pipelines.kernels.cache, pipelines.kernels.unicode_table as t; t.load_unicode_table(); "
        "assert len(pipelines.compute_signals.STEP.schema) > 12; sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
