"""What a conversation is: turns of known roles, and the one text that stands for them in the store.

Roles are ``system`` (first only), ``user`` and ``assistant``. Content is a text: what it spells,
marks of a chat among them, stays text.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """Turns, and the name by which errors call them."""

    name: str
    turns: tuple[Turn, ...]


def turns_of(messages: object) -> tuple[Turn, ...]:
    """Return what a record's ``messages`` say: ``[{"role": …, "content": …}, …]``.

    Raises:
        ValueError: if they say nothing; it begins with the reason: ``messages.no_messages``,
            ``.bad_role``, ``.bad_content``.
    """
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages.no_messages: not a list of turns, or an empty one")
    turns = []
    for number, message in enumerate(messages):
        found = message if isinstance(message, dict) else {}
        role, content = found.get("role"), found.get("content")
        if role not in ROLES or (role == "system" and number):
            raise ValueError(
                f"messages.bad_role: turn {number} is of {str(role)[:40]!r}, not system (the first "
                f"alone), user or assistant"
            )
        if not isinstance(content, str):
            raise ValueError(f"messages.bad_content: what turn {number} says is no text")
        turns.append(Turn(role, content))
    return tuple(turns)


def text_of(turns: tuple[Turn, ...]) -> str:
    """Return turns as the text of a document: JSON that `turns_of` reads again, in NFC as it is.

    A combining mark after an escape would be joined with its last letter: then all is escaped.
    """
    plain = [vars(turn) for turn in turns]
    text = json.dumps(plain, ensure_ascii=False)
    return text if unicodedata.is_normalized("NFC", text) else json.dumps(plain)
