import pytest

from pipelines.kernels import simplify_table as table


@pytest.mark.parametrize(
    ("char", "bits"),
    [
        ("a", table.CASED),
        ("·", table.CASE_IGNORABLE),
        ("'", table.CASE_IGNORABLE | table.GAP),
        ("1", table.DIGIT),
        ("１", table.DIGIT | table.GAP),
        (".", table.SEPARATOR | table.GAP | table.CASE_IGNORABLE),
        ("٫", table.SEPARATOR),
        ("\u3000", table.GAP),
        ("\x7f", table.GAP),
        ("•", 0),
        ("\u0301", table.NONSPACING | table.CASE_IGNORABLE | 230 << table.ORDER_SHIFT),
        ("\u302e", 224 << table.ORDER_SHIFT),
    ],
)
def test_classes(char, bits):
    assert table.load_simplify_table().classes[ord(char)] == bits


@pytest.mark.parametrize(
    ("char", "left"), [("a", "a"), ("É", "e"), ("İ", "i"), ("Σ", "σ"), ("가", "\u1100\u1161")]
)
def test_what_is_left(char, left):
    _, simple, pieces = table.load_simplify_table()
    code = simple[ord(char)]
    codes = [code] if code >= 0 else [piece for piece in pieces[-1 - code] if piece >= 0]
    assert "".join(map(chr, codes)) == left


def test_tables_cannot_be_changed():
    assert not any(array.flags.writeable for array in table.load_simplify_table())
