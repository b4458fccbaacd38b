"""Pairs of texts of which one is enough: they say the same, written or framed in another way.

Each maker draws its pairs from real text; ``detail`` tells which way of differing a pair has.
No maker changes a number, a name or a statement. What is cut from the end of a reprint stands in
the other text, so the longer of the two holds all.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.dedupe_facts import MONTHS, PERSON, PLACE, one_of
from benchmarks.dedupe_material import num_words, paragraphs
from benchmarks.dedupe_sources import Maker, Pair, Sources

MAX_CUT = 0.15  # of a reprint's words, from its end
_SENTENCE_END = re.compile(r"(?<=[a-z)\"”][.!?]) +(?=[A-Z\"“])")
_KEYS = ("qwertyuiop", "lkjhgfdsa", "zxcvbnm")
_NEIGHBOURS = {key: near for row in _KEYS for key, near in zip(row, row[1:] + row[-2], strict=True)}
_CONFUSED = (
    ("rn", "m"), ("m", "rn"), ("cl", "d"), ("d", "cl"), ("li", "h"), ("h", "b"), ("e", "c"),
    ("c", "e"), ("l", "1"), ("l", "I"), ("i", "l"), ("o", "0"), ("n", "ri"), ("u", "ii"),
    ("t", "f"), ("fi", "ﬁ"), ("a", "o"), ("vv", "w"), ("w", "vv"), ("s", "5"),
)  # fmt: skip
_OTHER_MARKS = str.maketrans({'"': "”", "'": "’", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'"})
_NOTES = (
    "Editor's note: this article was first published in another paper of our group and is "
    "reproduced here with permission.",
    "This story also appears in our weekend edition, with photographs by our own staff.",
    "Reporting by our correspondents; editing by the foreign desk.",
    "Copyright. All rights reserved. This material may not be published, broadcast, rewritten or "
    "redistributed.",
    "Read more of our coverage on the front page, or write to the editor.",
)
_AGENCIES = ("AP", "Reuters", "AFP", "UPI", "Xinhua", "dpa", "PA")


def reprints(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Print an article in two papers: headline, byline, dateline, a note, a cut at the end."""
    text = sources.text(rng)
    cut = _cut(text, rng) if rng.random() < 0.5 else text
    detail = "cut" if cut != text else "whole"
    left, right = (_printed(body, text, sources, rng) for body in (text, cut))
    return Pair("reprint", detail, left, right)


def _cut(text: str, rng: np.random.Generator) -> str:
    """Return a text without its last sentences, up to `MAX_CUT` of its words."""
    room = int(num_words(text) * rng.uniform(0, MAX_CUT))
    ends = [match.start() for match in re.finditer(r"(?<=[.!?\"”])\s+", text)]
    kept = [end for end in ends if num_words(text[end:]) <= room]
    return text[: kept[0]] if kept else text


def _printed(body: str, whole: str, sources: Sources, rng: np.random.Generator) -> str:
    """Return an article as a paper prints it; its headline is made of its first words."""
    head = []
    words = whole.split()
    if rng.random() < 0.8:
        first, num = rng.integers(0, 3), rng.integers(5, 10)
        headline = " ".join(words[first : first + num]).rstrip(".,;:")
        head.append(one_of((headline, headline.upper(), headline.title()), rng))
    if rng.random() < 0.6:
        head.append(f"By {_name(sources, PERSON, rng)}")
    if rng.random() < 0.5:
        agency = one_of(_AGENCIES, rng)
        body = f"{_name(sources, PLACE, rng).upper()} ({agency}) — {body}"
    if rng.random() < 0.3:
        head.append(f"{one_of(MONTHS, rng)} {rng.integers(1, 29)}, {rng.integers(1990, 2025)}")
    if rng.random() < 0.4:
        body = f"{body}\n\n{one_of(_NOTES, rng)}"
    return "\n\n".join([*head, body])


def _name(sources: Sources, kind: str, rng: np.random.Generator) -> str:
    return one_of(sources.names.by_kind[kind], rng)


def layout(detail: str, lay_out: Callable[[str, np.random.Generator], str]) -> Maker:
    """Return what lays an article out in one other way."""

    def make(sources: Sources, rng: np.random.Generator) -> Pair | None:
        text = sources.text(rng)
        return Pair("layout", detail, text, lay_out(text, rng))

    return make


def _wrapped(text: str, rng: np.random.Generator) -> str:
    """Break lines at a width."""
    width = int(rng.integers(40, 90))
    return "\n\n".join(textwrap.fill(part, width) for part in paragraphs(text))


def _hyphenated(text: str, rng: np.random.Generator) -> str:
    """Break lines at a width, and a share of the words at line ends in two."""
    share, lines = rng.uniform(0.05, 0.5), _wrapped(text, rng).split("\n")
    for number in range(len(lines) - 1):
        first, _, rest = lines[number + 1].partition(" ")
        if rng.random() < share and re.fullmatch(r"[a-z]{6,}", first):
            at = int(rng.integers(3, len(first) - 2))
            lines[number] += f" {first[:at]}-"
            lines[number + 1] = f"{first[at:]} {rest}".rstrip()
    return "\n".join(lines)


def _joined(text: str, rng: np.random.Generator) -> str:
    """Make one line of it, with other marks."""
    return " ".join(text.split()).translate(_OTHER_MARKS).replace(" - ", " — ")


def _shouted(text: str, rng: np.random.Generator) -> str:
    """Set its first line, and short lines, in capitals."""
    parts = paragraphs(text)
    return "\n".join(p.upper() if not n or len(p) < 60 else p for n, p in enumerate(parts))


def _markdown(text: str, rng: np.random.Generator) -> str:
    """Mark headings, quotations and some words as Markdown does."""

    def stressed(match: re.Match[str]) -> str:
        return f"**{match[0]}**" if rng.random() < 0.05 else match[0]

    parts = []
    for part in paragraphs(text):
        if len(part) < 60:
            part = f"## {part.rstrip('.')}"
        elif rng.random() < 0.2:
            part = "> " + part
        parts.append(re.sub(r"\b[a-z]{7,}\b", stressed, part))
    return "\n\n".join(parts)


def _bullets(text: str, rng: np.random.Generator) -> str:
    """Make a list of its sentences."""
    mark = one_of("-*•", rng)
    found = [s for part in paragraphs(text) for s in _SENTENCE_END.split(part)]
    return "\n".join(f"{mark} {sentence}" for sentence in found)


def typos(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Mistype a share of an article's longer words in lower case, none into another word."""
    text = sources.text(rng)
    share = 10 ** rng.uniform(-2.7, -1.3)

    def mistyped(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= share:
            return word
        wrong = _mistyped(word, rng)
        return word if wrong in sources.names.words else wrong

    return Pair("typos", _level(share), text, re.sub(r"\b[a-z]{4,}\b", mistyped, text))


def _mistyped(word: str, rng: np.random.Generator) -> str:
    """Return a word with one letter dropped, doubled, swapped with the next, or its neighbour's."""
    at, way = int(rng.integers(1, len(word) - 1)), rng.integers(4)
    if way == 0:
        return word[:at] + word[at + 1 :]
    if way == 1:
        return word[:at] + word[at] + word[at:]
    if way == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + _NEIGHBOURS.get(word[at], "e") + word[at + 1 :]


def scans(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Read an article as a scanner would: letters confused, spaces lost and put, lines broken.

    Numbers and words with capitals stay as they are.
    """
    text = sources.text(rng)
    share = 10 ** rng.uniform(-2.7, -1.0)
    parts = re.split(r"(\s+)", text)
    for number, part in enumerate(parts):
        if rng.random() < share and re.fullmatch(r"[a-z]{4,}[.,;]?", part):
            wrong = _misread(part, rng)
            parts[number] = part if wrong.rstrip(".,;") in sources.names.words else wrong
        elif part == " " and rng.random() < share / 8 and _plain(parts, number):
            parts[number] = ""
    scanned = "".join(parts)
    if rng.random() < 0.5:
        scanned = _hyphenated(scanned, rng)
    return Pair("scan", _level(share), text, scanned)


def _plain(parts: Sequence[str], space: int) -> bool:
    """Return whether both neighbours of a space are words in lower case."""
    around = parts[max(0, space - 1)], parts[min(space + 1, len(parts) - 1)]
    return all(re.fullmatch(r"[a-z]{4,}", word) for word in around)


def _misread(word: str, rng: np.random.Generator) -> str:
    """Return a word with one confusion of letters, or a space or a speck within."""
    fitting = [(old, new) for old, new in _CONFUSED if old in word]
    way = rng.random()
    if way < 0.1 or not fitting:
        at = int(rng.integers(1, len(word) - 1))
        return f"{word[:at]}{' ' if way < 0.07 else '~'}{word[at:]}"
    old, new = one_of(fitting, rng)
    return word.replace(old, new, 1)


def _level(share: float) -> str:
    """Return which share of words was spoilt, roughly."""
    return "under 1% of words" if share < 0.01 else "1% of words and more"


def frames(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Take one article from two sites: in two frames, or in one and without."""
    text = sources.text(rng)
    found = framed(text, text, sources, rng)
    return found and Pair("frame", *found)


def framed(
    text: str, other: str, sources: Sources, rng: np.random.Generator
) -> tuple[str, str, str] | None:
    """Return the way of framing, and two texts in frames of two sites, or the second one alone."""
    one, two = (sources.frames[i] for i in rng.choice(len(sources.frames), 2, replace=False))
    if one.around("") == two.around(""):
        return None
    way = rng.integers(3)
    if way == 0:
        return "one side", text, one.around(other)
    share = rng.uniform(0.05, 0.6)
    if way == 1:
        left = _part_of_frame(one.before, one.after, text, share)
        return "both, parts", left, _part_of_frame(two.before, two.after, other, share)
    return "both", one.around(text), two.around(other)


def _part_of_frame(before: str, after: str, text: str, share: float) -> str:
    """Return a text between the lines of a frame nearest to it, so many words for each of its."""
    room = int(num_words(text) * share / 2)
    above, below = before.split("\n"), after.split("\n")
    while above and num_words("\n".join(above)) > room:
        above.pop(0)
    while below and num_words("\n".join(below)) > room:
        below.pop()
    return "\n".join([*above, text, *below])


POSITIVES: dict[str, tuple[Maker, ...]] = {
    "reprint": (reprints,),
    "layout": (
        layout("line breaks", _wrapped),
        layout("hyphens", _hyphenated),
        layout("one line", _joined),
        layout("capitals", _shouted),
        layout("markdown", _markdown),
        layout("bullets", _bullets),
    ),
    "typos": (typos,),
    "scan": (scans,),
    "frame": (frames,),
}
