from dataclasses import dataclass, field
from typing import Literal

import pytest

from data_contracts.errors import RecipeError
from flows.values import build


@dataclass(frozen=True)
class Inner:
    ratio: float = 0.5
    names: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    stop: int | None = None
    way: Literal["up", "down"] = "up"
    is_on: bool = False


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)


def test_plain_values_become_typed_ones():
    plain = {"ratio": 1, "names": ["a", "b"], "stop": None, "way": "down", "is_on": True}
    built = build(Outer, {"name": "x", "inner": plain}, "the recipe")
    assert built == Outer("x", Inner(1.0, ("a", "b"), (), None, "down", True))
    assert type(built.inner.ratio) is float


def test_a_table_gives_pairs_in_its_order_and_dotted_keys_are_joined():
    plain = {"rules": {"z.last": "1", "a": {"b": "2", "c.d": "3"}}}
    assert build(Inner, plain, "r").rules == (("z.last", "1"), ("a.b", "2"), ("a.c.d", "3"))
    assert build(Inner, {"rules": [["z", "1"]]}, "r").rules == (("z", "1"),)


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"ratoi": 1}, "ratoi is no key of r; did you mean 'ratio'"),
        ({"ratio": "x"}, "r.ratio is 'x'; it must be a number"),
        ({"ratio": True}, "must be a number"),
        ({"stop": 1.5}, "must be a whole number"),
        ({"stop": True}, "must be a whole number"),
        ({"names": "a"}, "must be a list"),
        ({"names": ["a", 1]}, r"r.names\[1\] is 1"),
        ({"names": [2024]}, 'must be a string; write "2024", as a word of a shell \'"2024"\''),
        ({"names": [True]}, 'write "true"'),
        ({"names": [[]]}, "must be a string.$"),
        ({"way": "left"}, "one of 'up', 'down'"),
        ({"is_on": 1}, "true or false"),
        ({"rules": {"a": 1}}, "r.rules.a is 1"),
        ({"rules": "a"}, "must be a table"),
        ([1], "must be a table"),
    ],
)
def test_what_is_wrong_is_named(plain, said):
    with pytest.raises(RecipeError, match=said):
        build(Inner, plain, "r")
