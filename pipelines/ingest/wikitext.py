"""Wikitext to plain text: what a reader of the article reads, without tables, boxes and notes.

One pass over the text pairs brackets and tags, takes out what is no prose (tables, references,
galleries, files, categories, all templates but those that hold words of a sentence), and deletes
what has no partner: the parser, mwparserfromhell, takes quadratic time in brackets that are not
closed. So it sees well-formed text only, and the work is linear in the size of the page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import mwparserfromhell
from mwparserfromhell.nodes import (
    Argument,
    ExternalLink,
    HTMLEntity,
    Node,
    Tag,
    Template,
    Text,
    Wikilink,
)
from mwparserfromhell.wikicode import Wikicode

from pipelines.ingest.wikitext_spans import without_markup

HEADING = "\x01"  # before a heading while it is not known whether anything stands below it

# Templates whose words belong to the sentence around them: which of their parameters hold these.
_ONE = ("1",)
_WORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("nowrap", "nobr", "small", "smaller", "big", "smallcaps", "sc"), _ONE),
    **dict.fromkeys(("quote", "cquote", "blockquote", "bquote", "centered pull quote"), _ONE),
    **dict.fromkeys(("abbr", "sic", "math", "mvar", "val", "num", "ill", "nihongo", "angbr"), _ONE),
    **dict.fromkeys(("visible anchor", "vanchor", "center", "unicode", "nobold", "noitalic"), _ONE),
    **dict.fromkeys(("lang", "rtl-lang", "script", "transl", "transliteration"), ("3", "2")),
    **dict.fromkeys(("convert", "cvt"), ("1", "2")),
}
_JOINED = frozenset(("convert", "cvt"))  # all of the parameters, not the last that is there
_SIGNS = {
    **dict.fromkeys(("ndash", "en dash", "spaced ndash", "snd", "spnd", "dash"), " – "),
    **dict.fromkeys(("mdash", "em dash", "spaced mdash"), " — "),
    **dict.fromkeys(("'", "`"), "'"),
    **dict.fromkeys(("nbsp", "space", "sp", "spaces", "thinsp", "break", "•", "·"), " "),
    "!": "|",
    "=": "=",
}
_LANGUAGE = re.compile(r"lang-[a-z-]+")  # {{lang-fr|mot}}
_FRACTION = frozenset(("frac", "sfrac", "fraction"))

_HEADING_LINE = re.compile(r"(?m)^(={1,6})[ \t]*([^\n]*?)[ \t]*\1[ \t]*$")
_RULE = re.compile(r"(?m)^-{4,}[ \t]*")
_SWITCH = re.compile(r"__[A-Z]{3,20}__")
_LINK = re.compile(r"\[(?:https?:|ftp:|mailto:)?//[^\s\[\]]+[ \t]*([^\[\]\n]*)\]")
_INTERWIKI = re.compile(r":?[a-z]{2,3}(?:-[a-z]{2,10})?:")

_EMPTY_PARENTHESES = re.compile(r"[ \t]*\([ \t,;:/–-]*\)")
_AFTER_OPENING = re.compile(r"\([ \t]*[,;:][ \t,;:]*")
_BEFORE_CLOSING = re.compile(r"[ \t]*[,;:][ \t,;:]*\)")
_SPACES = re.compile(r"[ \t\xa0]+")
_BEFORE_SIGN = re.compile(r" ([,.;:!?)](?:\s|$))")
_NO_WORDS = re.compile(r"[\W_]*")
_BLANK_LINES = re.compile(r"\n{3,}")


def clean_wikitext(text: str, unwanted: Collection[str]) -> str:
    """Return the prose of a page: a paragraph, heading or list item a line.

    ``unwanted`` names the namespaces, in lower case, whose links show no words: those of files and
    categories. Headings without anything below them are left out.
    """
    text = without_markup(text, unwanted, is_kept)
    text = _LINK.sub(r"\1", text).replace("[http", "http").replace("[//", "//")
    text = _HEADING_LINE.sub(lambda found: f"{HEADING}{len(found[1])}{found[2]}", text)
    text = _RULE.sub("", _SWITCH.sub("", text))
    words = _render(mwparserfromhell.parse(text, skip_style_tags=True))
    return _join(_tidy(line) for line in words.split("\n"))


def is_kept(name: str) -> bool:
    """Return whether a template of a name, in lower case, holds words of the text around it."""
    return name in _WORDS or name in _SIGNS or name in _FRACTION or bool(_LANGUAGE.fullmatch(name))


def _render(code: Wikicode | None) -> str:
    return "".join(_render_node(node) for node in code.nodes) if code is not None else ""


def _render_node(node: Node) -> str:
    if isinstance(node, Text):
        return str(node.value)
    if isinstance(node, HTMLEntity):
        return _character(node)
    if isinstance(node, Wikilink):
        return _render_link(node)
    if isinstance(node, Template):
        return _render_template(node)
    if isinstance(node, Tag):
        return "\n" if str(node.tag).strip().lower() == "br" else _render(node.contents)
    if isinstance(node, ExternalLink):
        return _render(node.title) if node.title else str(node.url) if not node.brackets else ""
    if isinstance(node, Argument):
        return _render(node.default)
    return ""


def _character(node: HTMLEntity) -> str:
    try:
        return str(node.normalize())
    except (ValueError, OverflowError):
        return "\ufffd"


def _render_link(node: Wikilink) -> str:
    title = _render(node.title).strip()
    if node.text is not None:
        words = _render(node.text)
        return words if words.strip() else title.rpartition(":")[2].partition("(")[0].strip()
    if _INTERWIKI.match(title) and not title.startswith(":"):
        return ""  # the same article in another language
    return title.removeprefix(":").replace("_", " ")


def _render_template(node: Template) -> str:
    name = _render(node.name).strip().lower()
    if name in _SIGNS:
        return _SIGNS[name]
    if name in _FRACTION:
        return "/".join(_parameters(node, ("1", "2", "3")))
    wanted = ("1",) if _LANGUAGE.fullmatch(name) else _WORDS.get(name, ())
    values = _parameters(node, wanted)
    return " ".join(values) if name in _JOINED else "".join(values[:1])


def _parameters(node: Template, names: tuple[str, ...]) -> list[str]:
    return [_render(node.get(name).value).strip() for name in names if node.has(name)]


def _tidy(line: str) -> str:
    """Mend what is left where templates and notes stood; leave out a line without any word."""
    line = _EMPTY_PARENTHESES.sub("", line) if "(" in line else line
    line = _BEFORE_CLOSING.sub(")", _AFTER_OPENING.sub("(", line)) if "(" in line else line
    line = _BEFORE_SIGN.sub(r"\1", _SPACES.sub(" ", line)).strip(" ")
    return "" if _NO_WORDS.fullmatch(line.removeprefix(HEADING)) else line


def _join(lines: Iterable[str]) -> str:
    """Join lines; of headings, those with text below them, before one of the same level or more."""
    kept: list[str] = []
    deepest_empty = 0  # headings up to this level, seen from below, have text under them
    for line in reversed(list(lines)):
        if not line.startswith(HEADING):
            deepest_empty = 9 if line else deepest_empty
            kept.append(line)
            continue
        level = int(line[1])
        if level < deepest_empty:
            kept.append(f"\n{line[2:]}")
            deepest_empty = level
    return _BLANK_LINES.sub("\n\n", "\n".join(reversed(kept))).strip()
