"""Building typed config values out of what a TOML file or a JSON record holds."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from data_contracts.errors import RecipeError, UsageError
from store.hints import nearest

T = TypeVar("T")


def build(kind: type[T], value: Any, where: str) -> T:
    """Build a value of a config type from plain values.

    Understands dataclasses, ``str``, ``int``, ``float`` (integers are taken), ``bool``,
    ``Literal``, ``X | None``, tuples, and tuples of pairs, which a table may give in its order;
    the second of a pair may be a config, so that tables have names of the user's.

    Raises:
        RecipeError: naming the key, what stands there and what should; for an unknown key, the
            nearest known one.
    """
    if dataclasses.is_dataclass(kind):
        return typing.cast(T, _build_dataclass(kind, value, where))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return typing.cast(T, _build_optional(arguments, value, where))
    if origin is typing.Literal:
        if value not in arguments:
            raise _wrong(where, value, f"one of {', '.join(map(repr, arguments))}")
        return typing.cast(T, value)
    if origin is tuple:
        return typing.cast(T, _build_tuple(arguments, value, where))
    if kind is float and type(value) is int:
        return typing.cast(T, float(value))
    if type(value) is not kind:
        raise _wrong(where, value, _NAMES.get(kind, str(kind)))
    return value


_NAMES: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, value, "a table")
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    inside = "" if where == "the recipe" else f"{where}."
    for key in value:
        if key not in known:
            raise RecipeError(f"{inside}{key} is no key of {where}; {nearest(key, known)}")
    built = {key: build(hints[key], item, f"{inside}{key}") for key, item in value.items()}
    try:
        return kind(**built)
    except RecipeError as error:
        section = getattr(kind, "SECTION", inside)  # under which the config names its own keys
        raise RecipeError(str(error).replace(section, inside)) from error
    except UsageError as error:  # what training says of its settings
        said = str(error).rstrip(".")
        raise RecipeError(f"{said if said.startswith(inside) else inside + said}.") from error


def _build_optional(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    kinds = [kind for kind in arguments if kind is not type(None)]
    if value is None and len(kinds) < len(arguments):
        return None
    return build(kinds[0], value, where)


def _build_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if arguments[-1] is not Ellipsis:
        if not isinstance(value, list | tuple) or len(value) != len(arguments):
            raise _wrong(where, value, f"a list of {len(arguments)}")
        return tuple(build(a, v, where) for a, v in zip(arguments, value, strict=True))
    pairs = typing.get_origin(arguments[0]) is tuple and len(typing.get_args(arguments[0])) == 2
    if pairs and isinstance(value, dict):
        kind = typing.get_args(arguments[0])[1]
        if dataclasses.is_dataclass(kind):  # a table of tables
            return tuple(
                (key, _build_dataclass(kind, item, f"{where}.{key}")) for key, item in value.items()
            )
        return tuple((key, build(kind, item, f"{where}.{key}")) for key, item in _flat(value))
    if not isinstance(value, list | tuple):
        raise _wrong(where, value, "a table" if pairs else "a list")
    return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return a table's pairs in order; a dotted key that TOML nested is put together again."""
    pairs: list[tuple[str, Any]] = []
    for key, item in table.items():
        if isinstance(item, dict):
            pairs += _flat(item, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", item))
    return pairs


def _wrong(where: str, value: Any, wanted: str) -> RecipeError:
    sentence = f"{where} is {value!r}; it must be {wanted}"
    if wanted == _NAMES[str] and isinstance(value, int | float):
        text = json.dumps(str(value).lower())
        sentence += f"; write {text}, as a word of a shell '{text}'"
    return RecipeError(f"{sentence}.")
