from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

import pytest

from pipelines.ingest.docstrings import (
    MAX_SOURCE_BYTES,
    count_docstrings,
    parse_source,
    read_docstrings,
    read_topics,
)

SOURCE = b'''"""Module."""
def f():
    """Function
        indented
    and not
    """
    def inner():
        "Inner"
        class Local:
            "Local"
            def m(self): "m"
class C:
    "Class"
    if True:
        def m(self): "Method one"
    else:
        async def m(self): "Method two"
    x = 1
    "an attribute, not a docstring"
try:
    def t(): "Try"
except ValueError:
    def t(): "Except"
else:
    def t(): "Else"
finally:
    def t(): "Finally"
match 1:
    case 1:
        def in_case(): "Case"
for _ in ():
    def in_for(): "For"
while 0:
    def in_while(): "While"
with open("x"):
    def in_with(): "With"
def blank(): "  "
def b(): b"bytes"
def g(): f"formatted"
def n(): 1
lambda: "no"
'''


def test_docstrings_are_named_and_come_in_source_order() -> None:
    found = list(read_docstrings(parse_source(SOURCE)))
    assert [(d.name, d.kind, d.text) for d in found] == [
        ("", "module", "Module."),
        ("f", "function", "Function\n    indented\nand not"),
        ("f.<locals>.inner", "function", "Inner"),
        ("f.<locals>.inner.<locals>.Local", "class", "Local"),
        ("f.<locals>.inner.<locals>.Local.m", "method", "m"),
        ("C", "class", "Class"),
        ("C.m", "method", "Method one"),
        ("C.m#2", "method", "Method two"),
        ("t", "function", "Try"),
        ("t#2", "function", "Except"),
        ("t#3", "function", "Else"),
        ("t#4", "function", "Finally"),
        ("in_case", "function", "Case"),
        ("in_for", "function", "For"),
        ("in_while", "function", "While"),
        ("in_with", "function", "With"),
    ]
    assert [d.line for d in found[:3]] == [1, 3, 8]
    assert count_docstrings(parse_source(SOURCE)) == len(found)


def test_all_statements_that_hold_statements_are_entered() -> None:
    """Compare with a walk over every node, on the standard library's larger modules."""
    root = Path(sysconfig.get_paths()["stdlib"])
    num_found = 0
    for path in sorted(root.glob("*.py"))[::6]:
        tree = parse_source(path.read_bytes())
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        documented = [node for node in ast.walk(tree) if isinstance(node, kinds)]
        expected = sorted(text for node in documented if (text := ast.get_docstring(node)))
        found = sorted(d.text for d in read_docstrings(tree))
        assert found == expected
        assert count_docstrings(tree) == len(expected)
        num_found += len(found)
    assert num_found > 300


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"def f(:\n", "line 1: not Python"),
        (b"x = 1\ny = = 2\n", "line 2: not Python"),
        (b"# coding: utf-8\n'\xff'\n", "not Python"),
        (b"# coding: no-such-code\n", "not Python"),
        (b"x = '\0'\n", "null bytes"),
        (b"(" * 100_000, "not Python|too deeply"),
        (b"x = " + b"-" * 100_000 + b"1", "not Python|too deeply"),
        (b"x" * (MAX_SOURCE_BYTES + 1), "the file has"),
    ],
)
def test_what_cannot_be_parsed_says_why(data: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_source(data)


def test_a_declared_encoding_is_honoured() -> None:
    (found,) = read_docstrings(parse_source(b"# -*- coding: latin-1 -*-\n'caf\xe9'\n"))
    assert found.text == "café"


def test_long_chains_of_branches_are_read() -> None:
    chain = "if x: pass\n" + "".join(f"elif x == {n}: pass\n" for n in range(150))
    tree = parse_source((chain + "else:\n  def f(): 'Deep'\n").encode())
    assert [d.text for d in read_docstrings(tree)] == ["Deep"]
    assert count_docstrings(tree) == 1


def test_parsing_prints_no_warnings_and_leaves_their_filters_alone() -> None:
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parse_source(rb"'\d invalid escape'")
    assert caught == []
    assert list(warnings.filters) == before


def test_topics_are_read_from_their_literal() -> None:
    tree = parse_source(
        b"# made\ntopics = {'assert': 'The assert statement',\n 'del': 'Del' ' it'}\n"
    )
    found = [(d.name, d.kind, d.line, d.text) for d in read_topics(tree)]
    assert found == [
        ("topics[assert]", "topic", 2, "The assert statement"),
        ("topics[del]", "topic", 3, "Del it"),
    ]


@pytest.mark.parametrize("data", [b"x = 1", b"topics = {**other}", b"topics = {'a': open('x')}"])
def test_topics_that_are_no_literal_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"literal|malformed"):
        read_topics(parse_source(data))
