"""What is no prose in wikitext, found by pairing brackets and tags in one pass, and taken out.

So are the marks of lists and of bold and italic text, except where text stands as it was written
(``nowiki``, ``math``, ``code``): brackets in it become entities, which the parser turns back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

MAX_DEPTH = 30


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CUT_TAGS = _names(
    "ref references gallery timeline score imagemap table graph mapframe maplink chem hiero "
    "templatestyles inputbox categorytree section indicator"
)
_OPAQUE_TAGS = _names("nowiki pre math code syntaxhighlight source")
_KEPT_TAGS = _names(
    "b i u s em strong small big sub sup span div p blockquote q cite center font tt var kbd samp "
    "abbr del ins strike dfn bdi bdo rp rt ruby ul ol li dl dt dd poem noinclude includeonly "
    "onlyinclude h1 h2 h3 h4 h5 h6"
)
_TAGS = _CUT_TAGS | _OPAQUE_TAGS | _KEPT_TAGS
_BREAKS = frozenset(("br", "hr", "wbr"))

_TOKEN = re.compile(
    r"(?P<open>\{\{|\[\[|^[ \t:*#]*\{\|)|(?P<close>\}\}|\]\]|^[ \t]*\|\}(?!\}))"
    r"|<(?P<end>/?)(?P<tag>[A-Za-z][A-Za-z0-9]*)(?:[\s/][^<>]*)?>|<"
    r"|(?P<mark>'{2,}|^[*#:;]+[ \t]*)",
    re.MULTILINE,
)
_PARTNER = {"}}": "{{", "]]": "[[", "|}": "{|"}
_ESCAPED = {ord(sign): f"&#{ord(sign)};" for sign in "{}[]<>|*#:;"}
_NAME_END = re.compile(r"[|}{\[\]<\n]")
_MAX_NAME_CHARS = 100


def without_markup(text: str, unwanted: Collection[str], is_kept: Callable[[str], bool]) -> str:
    """Return wikitext without tables, notes, and links to namespaces that are ``unwanted``.

    Of templates, those stay whose name ``is_kept``. Brackets and tags that have no partner, or are
    nested deeper than `MAX_DEPTH`, are deleted; what stands between them stays.
    """
    text = _without_comments(text)
    pairs = _Pairs(text, unwanted, is_kept)
    for token in _TOKEN.finditer(text):
        pairs.take(token)
    return pairs.result()


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join([*kept, text[at:].replace("<!--", "")])


class _Pairs:
    """Pairs tokens with a stack; notes which stretches of the text go, and what stands instead."""

    def __init__(
        self, text: str, unwanted: Collection[str], is_kept: Callable[[str], bool]
    ) -> None:
        self._text, self._unwanted, self._is_kept = text, unwanted, is_kept
        self._open: list[tuple[str, int, int]] = []  # what is open: name, start and end
        self._changes: list[tuple[int, int, str]] = []  # stretches, and what stands there instead
        self._opaque = ""  # the tag in which nothing else is read
        lowered = text.lower()
        self._last_end = {name: lowered.rfind(f"</{name}") for name in _OPAQUE_TAGS}

    def take(self, token: re.Match[str]) -> None:
        """Read the next token."""
        start, end = token.span()
        name = (token["tag"] or "").lower()
        if self._opaque and not (token["end"] and name == self._opaque):
            if "'" not in token[0]:
                self._changes.append((start, end, token[0].translate(_ESCAPED)))
        elif token["mark"]:
            self._changes.append((start, end, ""))
        elif token["open"]:
            self._push(token[0].lstrip(" \t:*#"), start, end)
        elif token["close"]:
            self._close(_PARTNER[token[0].lstrip(" \t")], start, end)
        elif name in _BREAKS:
            self._changes.append((start, end, "" if name == "wbr" else "\n"))
        elif name not in _TAGS:
            self._changes.append((start, start + 1, "&lt;"))
        elif token["end"]:
            self._opaque = ""
            self._close(name, start, end)
        elif token[0].endswith("/>"):
            self._changes.append((start, end, ""))
        else:
            self._open_tag(name, start, end)

    def result(self) -> str:
        """Return the text as it is once all is paired."""
        self._delete(self._open)
        parts, at = [], 0
        for start, end, instead in sorted(
            self._changes, key=lambda change: (change[0], -change[1])
        ):
            if start >= at:
                parts += [self._text[at:start], instead]
                at = end
        return "".join([*parts, self._text[at:]])

    def _open_tag(self, name: str, start: int, end: int) -> None:
        if name in _OPAQUE_TAGS:
            if self._last_end[name] < end:
                self._changes.append((start, end, ""))
                return
            self._opaque = name
        self._push(name, start, end)

    def _push(self, name: str, start: int, end: int) -> None:
        if len(self._open) >= MAX_DEPTH and name != self._opaque:
            self._changes.append((start, end, ""))
        else:
            self._open.append((name, start, end))

    def _close(self, partner: str, start: int, end: int) -> None:
        for at in range(len(self._open) - 1, -1, -1):
            name, opened, inside = self._open[at]
            if name == partner:
                self._delete(self._open[at + 1 :])
                del self._open[at:]
                if self._is_cut(name, inside):
                    self._changes.append((opened, end, ""))
                elif name in _TAGS:
                    self._changes += [(opened, inside, ""), (start, end, "")]
                return
        self._changes.append((start, end, ""))

    def _delete(self, tokens: list[tuple[str, int, int]]) -> None:
        self._changes += [(start, end, "") for _, start, end in tokens]

    def _is_cut(self, name: str, inside: int) -> bool:
        if name in ("{{", "[["):
            first = self._text[inside : inside + _MAX_NAME_CHARS]
            ends = _NAME_END.search(first)
            first = first[: ends.start()] if ends else first
            if name == "{{":
                return not self._is_kept(first.strip().lower())
            prefix, colon, _ = first.strip().lower().partition(":")
            return bool(colon) and prefix.strip() in self._unwanted
        return name == "{|" or name in _CUT_TAGS
