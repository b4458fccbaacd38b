from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from catalog.differences import compare

BASE: dict[str, Any] = {
    "step": "s",
    "version": 1,
    "libraries": {"duckdb": "1.5"},
    "config": {"rules": [["a.short", "n < 2"]], "deep": {"seed": 0, "ratio": 0.5}},
    "key": "p0",
    "inputs": {"documents": [["p0", "d0"]], "signals": [["p0", "s0"], ["p1", "s1"]]},
}
SOURCE: dict[str, Any] = {
    **{name: BASE[name] for name in ("step", "version", "libraries", "config", "key")},
    "files": [["a.txt", "f0", 0, None], ["b.txt", "f1", 0, 10], ["b.txt", "f2", 10, 5]],
}


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(base)
    *steps, last = path.split(".")
    inner = made
    for step in steps:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "kind", "sentence"),
    [
        ("version", 2, "version", "version: was 1, now 2"),
        ("libraries.duckdb", "2.0", "library", 'library duckdb: was "1.5", now "2.0"'),
        ("libraries.numpy", "2.4", "library", 'library numpy: is new, "2.4"'),
        ("libraries.duckdb", None, "library", 'library duckdb: is gone, was "1.5"'),
        (
            "config.rules",
            (("a.short", "n < 3"),),
            "config",
            'config.rules: was [["a.short", "n < 2"]], now [["a.short", "n < 3"]]',
        ),
        ("config.deep.seed", 7, "config", "config.deep.seed: was 0, now 7"),
        ("config.deep.more", True, "config", "config.deep.more: is new, true"),
        ("inputs.documents", [["p0", "x"]], "input", "input documents part p0: other content"),
        ("inputs.signals", [["p0", "s0"]], "input", "input signals part p1: no longer there"),
        (
            "inputs.documents",
            [["p0", "d0"], ["p9", "d9"]],
            "input",
            "input documents part p9: new",
        ),
    ],
)
def test_one_change_is_one_difference(path: str, value: Any, kind: str, sentence: str) -> None:
    (found,) = compare(BASE, changed(BASE, path, value))
    assert (found.kind, found.sentence) == (kind, sentence)
    assert found.before != found.now


def test_files_differ_by_range_too() -> None:
    files = [["a.txt", "f9", 0, None], ["b.txt", "f1", 0, 10], ["c.txt", "f3", 0, None]]
    found = compare(SOURCE, {**SOURCE, "files": files})
    assert [one.sentence for one in found] == [
        "file a.txt: other content",
        "file b.txt from byte 10: no longer there",
        "file c.txt: new",
    ]


def test_what_is_equal_does_not_differ() -> None:
    as_tuples = {**BASE, "config": {**BASE["config"], "rules": (("a.short", "n < 2"),)}}
    assert compare(BASE, as_tuples) == []
    assert compare(json.loads(json.dumps(SOURCE)), SOURCE) == []


def test_long_values_are_cut() -> None:
    (found,) = compare(BASE, changed(BASE, "config.rules", ["x" * 1000]))
    assert len(found.sentence) < 500
    assert found.now == ["x" * 1000]
