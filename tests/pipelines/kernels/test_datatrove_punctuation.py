import pytest

from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation


@pytest.mark.parametrize(
    ("char", "is_punctuation", "is_terminal"),
    [
        ("a", False, False),
        (" ", False, False),
        ("•", False, False),
        ("\n", False, False),
        ("\v", True, False),
        ("\x7f", True, False),
        ("\x9f", True, False),
        ("\xa0", False, False),
        ("１", True, False),
        ("\uff12", False, False),
        ("-", True, False),
        ("…", True, False),
        (".", True, True),
        ("।", True, True),
        ("\U0001da88", True, True),
    ],
)
def test_members(char, is_punctuation, is_terminal):
    table = load_datatrove_punctuation()
    assert table.punctuation[ord(char)] == is_punctuation
    assert table.terminal[ord(char)] == is_terminal


def test_tables_cannot_be_changed():
    table = load_datatrove_punctuation()
    assert not table.punctuation.flags.writeable
    assert not table.terminal.flags.writeable
    assert (table.terminal <= table.punctuation).all()
    assert table.datatrove_version == "0.10.0"
