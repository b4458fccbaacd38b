"""The language that a page, a response or a dump declares, for ``meta``: kept as it is declared."""

from __future__ import annotations

import re

_HEAD_CHARS = 65_536
_LANGUAGES = re.compile(r"[A-Za-z][A-Za-z0-9_.,;=* \t-]{0,99}")
_OPEN = re.compile(r"<!--|<html(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"[\s/]*+(?:>|([^\s/>][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?)"
)


def declared_language(value: str | None) -> str | None:
    """Return a tag, or several with commas, without space around; None if it cannot be one.

    A hundred letters, digits and marks of such lists are the most that is taken for tags.
    """
    value = (value or "").strip()
    return value if _LANGUAGES.fullmatch(value) else None


def language_of_page(html: str) -> str | None:
    """Return what the tag ``html`` in the first 65,536 characters declares, None without one.

    It is ``lang`` or else ``xml:lang``; a tag in a comment declares nothing.
    """
    at, head = 0, html[:_HEAD_CHARS]
    while found := _OPEN.search(head, at):
        if found[0] != "<!--":
            attributes = _attributes(head, found.end())
            return declared_language(attributes.get("lang") or attributes.get("xml:lang"))
        at = head.find("-->", found.end() - 2) + 3
        if at < 3:
            return None
    return None


def _attributes(head: str, at: int) -> dict[str, str]:
    """Return the attributes of a tag, the first of each name; none if it does not end."""
    attributes: dict[str, str] = {}
    while found := _ATTRIBUTE.match(head, at):
        at = found.end()
        if found[1] is None:
            return attributes
        value = next((group for group in found.groups()[1:] if group is not None), "")
        attributes.setdefault(found[1].lower(), value)
    return {}
