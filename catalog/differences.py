"""How what a partition would be made from differs from what another one was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["version", "library", "config", "input", "file", "code", "new", "pending", "fresh"]

MAX_VALUE_CHARS = 200


@dataclass(frozen=True)
class Difference:
    """One difference, the partitions that it concerns, and a sentence for a person.

    ``what`` names the thing (``config.rules``, ``input documents part numpy``); ``before`` and
    ``now`` are its plain values or digests, ``None`` where it is absent. ``kind`` is ``new``,
    ``pending`` or ``fresh`` where there is nothing to compare with.
    """

    kind: Kind
    what: str
    before: Any
    now: Any
    sentence: str
    parts: tuple[str, ...] = ()


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return how two ``made_from`` differ (see `store.datasets.Receipt`), causes in their order."""
    before, now = _plain(before), _plain(now)
    found = list(_values("version", {"": before["version"]}, {"": now["version"]}))
    found += _values("library", before["libraries"], now["libraries"])
    found += _values("config", _settings(before), _settings(now))
    found += _contents("file", _files(before), _files(now))
    found += _contents("input", _inputs(before), _inputs(now))
    return found


def code_difference(files: list[str]) -> Difference:
    """Make the difference for source files that changed since."""
    sentence = f"code changed in {', '.join(files)}"
    return Difference("code", ", ".join(files), None, None, sentence)


def _plain(made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value as it is once it was written to a receipt and read again."""
    value: dict[str, Any] = json.loads(json.dumps(made_from))
    return value


def _values(kind: Kind, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new and (name in before) == (name in now):
            continue
        what = {"version": "version", "library": f"library {name}"}.get(kind, f"config.{name}")
        if name not in before:
            change = f"is new, {_short(new)}"
        elif name not in now:
            change = f"is gone, was {_short(old)}"
        else:
            change = f"was {_short(old)}, now {_short(new)}"
        yield Difference(kind, what, old, new, f"{what}: {change}")


def _contents(
    kind: Kind, before: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[Difference]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        what = f"{kind} {name}"
        change = "new" if old is None else "no longer there" if new is None else "other content"
        yield Difference(kind, what, old, new, f"{what}: {change}")


def _settings(made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the step and what its partition's source adds to it."""
    return _flat({**made_from["config"], **made_from.get("settings", {})})


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _files(made_from: Mapping[str, Any]) -> dict[str, str]:
    files = {}
    for path, digest, start, length in made_from.get("files", []):
        is_all = not start and length is None
        files[path if is_all else f"{path} from byte {start}"] = f"{digest} {length}"
    return files


def _inputs(made_from: Mapping[str, Any]) -> dict[str, str]:
    inputs = made_from.get("inputs", {})
    return {f"{name} part {key}": digest for name, parts in inputs.items() for key, digest in parts}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[: MAX_VALUE_CHARS - 1]}…"
