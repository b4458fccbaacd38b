"""Facts in English text (numbers, years, dates, names), and others of their kind to put there.

Names are runs of capitalised words within a sentence. What kind of name they are is learned from
articles of an encyclopedia: persons begin with a given name of somebody who has an article, a last
name alone is that of a person, places mostly stand behind *in*, an adjective as *Russian* before a
word in lower case; other names of several words are of the kind of their last one, as *University*.
A name of no such kind is not taken for a fact.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip
NUMBER, YEAR, DATE, PERSON, LAST_NAME, PLACE, ADJECTIVE = (
    "number", "year", "date", "person", "last name", "place", "adjective",
)  # fmt: skip
LAST_YEAR = 2024
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_NAMES = frozenset((*MONTHS, *_DAYS, "Mr", "Mrs", "Ms", "Dr", "Sir", "Lord", "Lady", "Saint"))
_MONTH = "|".join(MONTHS)
_WORD = "[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]+"
_RUN = rf"{_WORD}(?: {_WORD})*(?![\w-])"
_DATE = rf"\b(?:\d{{1,2}} (?:{_MONTH})(?: \d{{4}})?|(?:{_MONTH}) \d{{1,2}}(?:, \d{{4}})?)\b"
_NUMBER = r"(?<![\w.,:/#–-])(?:\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\w:/–-]|[.,]\d)"
_FACT = re.compile(rf"(?P<date>{_DATE})|(?P<number>{_NUMBER})|(?<=[a-z,;] )(?P<name>{_RUN})")
_BEHIND_IN = re.compile(rf"\bin ({_RUN})")
_BEFORE_NOUN = re.compile(rf"(?<=[a-z,;] )({_WORD}) [a-z]{{3,}}")
_ADJECTIVAL = re.compile(r"\w+(?:an|ish|ese|ch|ic|eli|aqi|stani)")
_SOMEBODY = re.compile(r"\(born |\(\W*\d{1,2} \w+ \d{4} *[–-]|\(\w+ \d{1,2}, \d{4} *[–-]")
_COMMON = re.compile(r"(?<![\w-])[a-z]{3,}(?![\w-])")
_MIN_OF_HEAD = 20  # different names that end in a word, for it to be a kind
_MIN_OF_WORD = 5  # times that a word stands in lower case, for it to be no name


Item = TypeVar("Item")


def one_of(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """Return one of some items, each as likely."""
    return items[int(rng.integers(len(items)))]


class Fact(NamedTuple):
    """A stretch ``text[start:end]`` that states a fact of a kind."""

    start: int
    end: int
    kind: str
    said: str


@dataclass(frozen=True)
class Names:
    """Real names by kind, in alphabetical order, and what tells the kinds apart.

    ``words`` are those that stand in lower case now and then, and so are no names.
    """

    by_kind: Mapping[str, Sequence[str]]
    kinds: Mapping[str, str]
    words: frozenset[str]

    def kind_of(self, name: str) -> str | None:
        """Return the kind of a name, None where it is of none."""
        return self.kinds.get(name)


def learn_names(articles: Iterable[tuple[str, str]]) -> Names:
    """Return the names in articles of an encyclopedia, given as title and body."""
    seen: Counter[str] = Counter()
    behind_in: Counter[str] = Counter()
    before_noun: Counter[str] = Counter()
    common: Counter[str] = Counter()
    given = set()
    for title, body in articles:
        common.update(_COMMON.findall(body))
        seen.update(match["name"] for match in _FACT.finditer(body) if match["name"])
        behind_in.update(_BEHIND_IN.findall(body))
        before_noun.update(_BEFORE_NOUN.findall(body))
        if _SOMEBODY.search(body[:200]) and " " in title:
            given.add(title.split()[0])
    heads = Counter(name.split()[-1] for name in seen if " " in name)
    heads = Counter({head: num for head, num in heads.items() if num >= _MIN_OF_HEAD})
    words = frozenset(word for word, num in common.items() if num >= _MIN_OF_WORD)
    capitalised = {word.capitalize() for word in words}
    given -= capitalised | _NO_NAMES | set(heads)
    last = {name.split()[-1] for name in seen if _is_person(name, given, heads)}
    last -= given | capitalised
    kinds = {}
    for name, num in seen.items():
        if not _NO_NAMES.isdisjoint(name.split()):
            continue
        if (
            num >= 3
            and _ADJECTIVAL.fullmatch(name)
            and before_noun[name] > 0.6 * num
            and name not in last
        ):
            kinds[name] = ADJECTIVE
        elif num >= 2 and behind_in[name] > 0.4 * num and name not in given:
            kinds[name] = PLACE
        elif _is_person(name, given, heads):
            kinds[name] = PERSON
        elif name in last and name not in heads:
            kinds[name] = LAST_NAME
        elif " " in name and name.split()[-1] in heads and not behind_in[name]:
            kinds[name] = name.split()[-1]
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name in sorted(kinds):
        by_kind[kinds[name]].append(name)
    kinds = {name: kind for name, kind in kinds.items() if len(by_kind[kind]) >= 10}
    return Names(dict(by_kind), kinds, words)


def _is_person(name: str, given: set[str], heads: Mapping[str, int]) -> bool:
    first, *rest = name.split()
    return len(rest) in (1, 2) and first in given and rest[-1] not in heads


def find_facts(text: str, names: Names) -> list[Fact]:
    """Return the facts of a text, in its order; they do not overlap."""
    facts = []
    for match in _FACT.finditer(text):
        said = match[0]
        if match["name"]:
            kind = names.kind_of(said)
        elif match["date"]:
            kind = DATE
        else:
            kind = YEAR if re.fullmatch(r"1[5-9]\d\d|20[0-2]\d", said) else NUMBER
        if kind:
            facts.append(Fact(match.start(), match.end(), kind, said))
    return facts


def other_fact(fact: Fact, names: Names, rng: np.random.Generator) -> str:
    """Return another fact of the kind, never the same."""
    while True:
        said = _drawn(fact, names, rng)
        if said.casefold() != fact.said.casefold():
            return said


def _drawn(fact: Fact, names: Names, rng: np.random.Generator) -> str:
    if fact.kind == NUMBER:
        return other_number(fact.said, rng)
    if fact.kind == YEAR:
        return _other_year(fact.said, rng)
    if fact.kind == DATE:
        return _other_date(fact.said, rng)
    return one_of(names.by_kind[fact.kind], rng)


def other_number(said: str, rng: np.random.Generator) -> str:
    """Return a number with one to all of its digits drawn anew, written in the same way."""
    places = [place for place, character in enumerate(said) if character.isdigit()]
    drawn = list(said)
    for place in rng.permutation(places)[: int(rng.integers(1, len(places) + 1))]:
        lowest = 1 if place == places[0] and len(places) > 1 else 0
        drawn[place] = str(rng.integers(lowest, 10))
    return "".join(drawn)


def _other_year(said: str, rng: np.random.Generator) -> str:
    """Return a year at most 15 years away, and not in the future."""
    near = int(said) + int(rng.integers(-15, 16))
    return str(min(near, LAST_YEAR))


def _other_date(said: str, rng: np.random.Generator) -> str:
    """Return a date with another day, month or year."""
    part = rng.integers(3)
    if part == 0:
        return re.sub(r"\b\d{1,2}\b", str(rng.integers(1, 29)), said, count=1)
    if part == 1:
        return re.sub(_MONTH, one_of(MONTHS, rng), said)
    return re.sub(r"\d{4}", lambda year: _other_year(year[0], rng), said)


def replaced(text: str, said_instead: Mapping[str, str]) -> str:
    """Return a text in which words are said instead of others, wherever those stand alone."""
    if not said_instead:
        return text
    longest_first = sorted(said_instead, key=len, reverse=True)
    anywhere = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    return anywhere.sub(lambda match: said_instead[match[0]], text)
