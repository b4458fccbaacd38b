"""Pairs of texts that look alike and are not duplicates: one of them says something else.

Each maker draws its pairs from real text; ``detail`` tells which way of differing a pair has.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.dedupe_facts import (
    DATE,
    LAST_NAME,
    NUMBER,
    PERSON,
    PLACE,
    YEAR,
    Fact,
    Names,
    find_facts,
    one_of,
    other_fact,
    other_number,
    replaced,
)
from benchmarks.dedupe_material import num_words, paragraphs
from benchmarks.dedupe_sources import TABLE_CELL, Maker, Pair, Sources

ANTONYMS = """
increased decreased, increase decrease, increases decreases, won lost, wins losses, before after,
north south, east west, northern southern, eastern western, higher lower, highest lowest,
largest smallest, larger smaller, male female, accepted rejected, approved rejected, above below,
earlier later, older younger, opened closed, rose fell, bought sold, allowed forbidden,
guilty innocent, agreed refused, successful unsuccessful, always never, with without,
supported opposed, beginning end, maximum minimum, legal illegal, possible impossible,
positive negative, victory defeat, inside outside, upper lower, shorter longer, winner loser,
husband wife, father mother, brother sister, son daughter, king queen, strong weak,
easy difficult, public private, began ended, married divorced, present absent, men women
"""
MAX_HOLDERS = 50  # of a run of words, that an article is compared with
_OPPOSITE: dict[str, str] = {}
for _pair in ANTONYMS.replace("\n", " ").split(","):
    _one, _two = _pair.split()
    _OPPOSITE.setdefault(_one, _two)
    _OPPOSITE.setdefault(_two, _one)
_SWAPPED = re.compile(rf"(?<!named )(?<!look )(?<!even )\b(?:{'|'.join(_OPPOSITE)})\b")
_NOT = re.compile(r"\b(is|was|are|were|has|had|have|can|could|will|would|should|may|might) not\b")
_NO_NOT = re.compile(
    r"\b(is|was|are|were|can|could|will|would|should)\b"
    r"(?! not|n't| n.t| never| also| no\b|,|\.)(?= [a-z]+)"
)


def templates(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Fill an article with other facts: its subject's name, and others up to a share of words."""
    text = sources.text(rng)
    facts = find_facts(text, sources.names)
    often = Counter(fact.said for fact in facts if fact.kind not in (NUMBER, YEAR, DATE))
    order = [facts[place] for place in rng.permutation(len(facts))]
    if often:
        order.sort(key=lambda fact: fact.said != often.most_common(1)[0][0])
    room = max(2.0, rng.uniform(0.005, 0.04) * num_words(text))
    instead: dict[str, str] = {}
    for fact in order:
        if room <= 0:
            break
        if fact.said not in instead:
            room -= len(re.findall(rf"(?<!\w){re.escape(fact.said)}(?!\w)", text))
            instead |= _said_instead(fact, sources.names, rng)
    filled = replaced(text, instead)
    if len(instead) < 2 or filled == text:
        return None
    return Pair("template", "filled in", text, filled)


def _said_instead(fact: Fact, names: Names, rng: np.random.Generator) -> dict[str, str]:
    """Return what is said instead of a fact; of a person, of the last name alone too."""
    other = other_fact(fact, names, rng)
    if fact.kind == PERSON and fact.said.split()[-1] != other.split()[-1]:
        return {fact.said: other, fact.said.split()[-1]: other.split()[-1]}
    return {fact.said: other}


def revision(detail: str, revise: Callable[..., str | None]) -> Maker:
    """Return what changes one to three statements of a text in one way."""

    def make(sources: Sources, rng: np.random.Generator) -> Pair | None:
        text = sources.text(rng)
        revised = revise(text, int(rng.choice((1, 1, 1, 2, 3))), sources.names, rng)
        return None if revised is None else Pair("revision", detail, text, revised)

    return make


def _revise_facts(meant: Callable[[str], bool]) -> Callable[..., str | None]:
    def revise(text: str, num_changes: int, names: Names, rng: np.random.Generator) -> str | None:
        facts = [fact for fact in find_facts(text, names) if meant(fact.kind)]
        if len(facts) < num_changes:
            return None
        chosen = sorted(rng.choice(len(facts), num_changes, replace=False))
        return _spliced(text, [(*facts[i][:2], other_fact(facts[i], names, rng)) for i in chosen])

    return revise


def _negate(text: str, num_changes: int, names: Names, rng: np.random.Generator) -> str | None:
    """Take a *not* out, or put one in where there is none to take."""
    out = [(match.start(), match.end(), match[1]) for match in _NOT.finditer(text)]
    put = [(match.end(), match.end(), " not") for match in _NO_NOT.finditer(text)]
    places = out if len(out) >= num_changes and rng.random() < 0.5 else put
    return _spliced_some(text, places, num_changes, rng)


def _reverse(text: str, num_changes: int, names: Names, rng: np.random.Generator) -> str | None:
    """Say the opposite of a word."""
    places = [(m.start(), m.end(), _OPPOSITE[m[0]]) for m in _SWAPPED.finditer(text)]
    return _spliced_some(text, places, num_changes, rng)


def _spliced_some(
    text: str, places: Sequence[tuple[int, int, str]], num: int, rng: np.random.Generator
) -> str | None:
    if len(places) < num:
        return None
    chosen = sorted(rng.choice(len(places), num, replace=False))
    return _spliced(text, [places[i] for i in chosen])


def _spliced(text: str, places: Sequence[tuple[int, int, str]]) -> str:
    """Return a text with stretches of it replaced; they are in its order, and do not overlap."""
    parts, end = [], 0
    for start, stop, instead in places:
        parts += [text[end:start], instead]
        end = stop
    return "".join([*parts, text[end:]])


def site_pages(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Put two other articles into the frame of one web page."""
    frame = one_of(sources.frames, rng)
    share = rng.uniform(0.7, 0.97)  # of the frame in the page
    room = int(frame.frame_words * (1 - share) / share)
    articles = [_short_article(sources, room, rng) for _ in range(2)]
    if articles[0] == articles[1] or min(map(num_words, articles)) < 15:
        return None
    return Pair("site", "web page", *(frame.around(article) for article in articles))


def _short_article(sources: Sources, room: int, rng: np.random.Generator) -> str:
    """Return a report of the news, or an article's first paragraphs, of about so many words."""
    if room < 80:
        return one_of(sources.news, rng)
    return first_paragraphs(sources.text(rng), room)


def first_paragraphs(text: str, room: int) -> str:
    """Return the first paragraphs of a text, up to so many words, but always one."""
    taken: list[str] = []
    for part in paragraphs(text):
        if taken and room < num_words(part):
            break
        taken.append(part)
        room -= num_words(part)
    return "\n\n".join(taken)


def signed_posts(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Put two short posts above one long signature."""
    signature = one_of(sources.signatures, rng)
    bodies = [one_of(sources.notes, rng) for _ in range(2)]
    if max(map(num_words, bodies)) > 0.7 * num_words(signature) or not unlike(*bodies):
        return None
    return Pair("site", "signature", *(f"{body}\n-- \n{signature}" for body in bodies))


def licensed_pieces(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Put pieces of two books between the notes that Project Gutenberg puts around them."""
    before, one, after = one_of(sources.books, rng)
    _, two, _ = one_of(sources.books, rng)
    licence = first_paragraphs(after, int(rng.integers(200, 1600)))
    room = int(num_words(licence) * rng.uniform(0.03, 0.4))
    pieces = [piece_of(text, max(room, 20), rng) for text in (one, two)]
    if one == two or not unlike(*pieces):
        return None
    return Pair("site", "licence", *(f"{before}\n\n{p}\n\n{licence}" for p in pieces))


def piece_of(text: str, room: int, rng: np.random.Generator) -> str:
    """Return some paragraphs from anywhere in a text, about so many words."""
    parts = paragraphs(text)
    return first_paragraphs("\n\n".join(parts[rng.integers(len(parts)) :]), room)


def unlike(one: str, two: str) -> bool:
    """Return whether few runs of five words of the shorter text stand in the other one."""
    sets = [{tuple(words[i : i + 5]) for i in range(len(words) - 4)}
            for words in (one.casefold().split(), two.casefold().split())]  # fmt: skip
    smaller = min(map(len, sets))
    return smaller > 0 and len(sets[0] & sets[1]) <= 0.1 * smaller


def real_tables(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Change some numbers of a real table."""
    return _changed(one_of(sources.tables, rng), "real", rng)


def drawn_tables(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Change some numbers of a table of real names and drawn numbers."""
    return _changed(_drawn_table(sources, rng), "drawn", rng)


def _changed(table: str, detail: str, rng: np.random.Generator) -> Pair | None:
    cells = list(TABLE_CELL.finditer(table))
    if len(cells) < 12:
        return None
    num = max(1, int(len(cells) * rng.choice((0.0, 0.01, 0.03, 0.1))))
    chosen = sorted(rng.choice(len(cells), num, replace=False))
    other = _spliced(table, [(*cells[i].span(), other_number(cells[i][0], rng)) for i in chosen])
    return None if other == table else Pair("table", detail, table, other)


def _drawn_table(sources: Sources, rng: np.random.Generator) -> str:
    """Return rows of a name and some numbers under a headline."""
    pool = sources.names.by_kind[one_of((PERSON, PLACE, LAST_NAME), rng)]
    num_columns = rng.integers(2, 7)
    scale = 10 ** rng.integers(1, 6)
    rows = [one_of(sources.headlines, rng)]
    num_rows = min(len(pool), int(rng.integers(12, 120)))
    for name in rng.choice(len(pool), num_rows, replace=False):
        numbers = "  ".join(str(number) for number in rng.integers(0, scale, num_columns))
        rows.append(f"{pool[name]:<28} {numbers}")
    return "\n".join(rows)


def natural_templates(articles: Sequence[tuple[str, str]], low: float = 0.3) -> list[Pair]:
    """Return pairs of articles about two subjects that share so many of their runs of five words.

    An article is in one pair only, with whatever earlier one shares most with it.
    """
    sets = [_shingles(body) for _, body in articles]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    pairs: list[Pair] = []
    taken: set[int] = set()
    for number, own in enumerate(sets):
        shared: Counter[int] = Counter()
        for shingle in own:
            shared.update(holders[shingle][:MAX_HOLDERS])
            holders[shingle].append(number)
        likest = max(
            ((common / (len(own) + len(sets[other]) - common), other)
             for other, common in shared.items()
             if other not in taken and _two_subjects(articles[number][0], articles[other][0])),
            default=(0.0, number),
        )  # fmt: skip
        if likest[0] >= low:
            taken |= {number, likest[1]}
            texts = articles[likest[1]][1], articles[number][1]
            pairs.append(Pair("template", "natural", *texts))
    return pairs


def _two_subjects(one: str, two: str) -> bool:
    """Return whether each of two titles has a word that the other has not."""
    words, others = (set(re.findall(r"\w+", title.casefold())) for title in (one, two))
    return bool(words - others) and bool(others - words)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


NEGATIVES: dict[str, tuple[Maker, ...]] = {
    "template": (templates,),
    "revision": (
        revision("number", _revise_facts(lambda kind: kind == NUMBER)),
        revision("date", _revise_facts(lambda kind: kind in (DATE, YEAR))),
        revision("name", _revise_facts(lambda kind: kind not in (NUMBER, DATE, YEAR))),
        revision("negation", _negate),
        revision("reversal", _reverse),
    ),
    "site": (site_pages, signed_posts, licensed_pieces),
    "table": (real_tables, drawn_tables),
}
