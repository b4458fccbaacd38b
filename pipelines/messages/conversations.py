"""JSON lines of conversations -> checked turns; what is none is set aside with a reason.

A line is ``{"messages": [{"role": …, "content": …}, …]}``, with an ``id`` if it has one. Roles are
``system`` (first only), ``user`` and ``assistant``. Content is a text: what it spells, marks of a
chat among them, stays text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MAX_LINE_BYTES = 16 << 20
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """A sample: its turns, and its name: the ``id`` of its line, else ``FILE:LINE``."""

    name: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class SetAside:
    """A sample, or a part of one, that is in no shard, and why.

    Reasons: ``messages.long_line``, ``.not_json``, ``.no_messages``, ``.bad_role``,
    ``.bad_content``, ``.too_long`` (one exchange does not fit), ``.unanswered``.
    """

    name: str
    reason: str


def read_conversations(lines: Iterable[bytes], file: str) -> Iterator[Conversation | SetAside]:
    """Yield what each line of a file is; empty lines are none."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _conversation(line, f"{file}:{number}")


def _conversation(line: bytes, name: str) -> Conversation | SetAside:
    if len(line) > MAX_LINE_BYTES:
        return SetAside(name, "messages.long_line")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return SetAside(name, "messages.not_json")
    if not isinstance(record, dict) or not isinstance(record.get("messages"), list):
        return SetAside(name, "messages.no_messages")
    if isinstance(record.get("id"), str | int):
        name = f"{name} ({record['id']!r:.80})"
    turns = [_turn(message) for message in record["messages"]]
    if not turns:
        return SetAside(name, "messages.no_messages")
    if any(turn.role not in ROLES for turn in turns):
        return SetAside(name, "messages.bad_role")
    if any(turn.role == "system" for turn in turns[1:]):
        return SetAside(name, "messages.bad_role")
    if not all(_is_text(turn.content) for turn in turns):
        return SetAside(name, "messages.bad_content")
    return Conversation(name, tuple(turns))


def _turn(message: Any) -> Turn:
    found = message if isinstance(message, dict) else {}
    role = found.get("role")
    return Turn(role if isinstance(role, str) else "", found.get("content"))  # type: ignore[arg-type]


def _is_text(content: object) -> bool:
    if not isinstance(content, str):
        return False
    try:
        content.encode()
    except UnicodeEncodeError:  # a surrogate by itself
        return False
    return True
