import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import dedupe_facts as facts

PLACES = ("Lisbon", "Porto", "Faro", "Braga", "Evora", "Sintra", "Tomar", "Leiria", "Viseu", "Beja")
FIRST = ("Anna", "Berta", "Carla", "Diana", "Erika")
LAST = ("Molina", "Navarro", "Ortega", "Pinheiro", "Quental")
PEOPLE = tuple(f"{one} {two}" for one in FIRST for two in LAST)


def articles():
    """An encyclopedia in which places stand behind in, and every person has an article."""
    found = [
        (name, f"{name} (born {day} May 1950) is a miller who met {name} twice.")
        for day, name in enumerate(PEOPLE, start=1)
    ]
    found += [(place, f"A mill stands in {place}, and in {place} a bridge.") for place in PLACES]
    return [*found, ("Rye", "a rye field, and rye and rye; some rye with more rye.")]


NAMES = facts.learn_names(articles())


def test_kinds_of_names_are_learned_from_articles():
    assert set(NAMES.by_kind["place"]) == set(PLACES)
    assert set(NAMES.by_kind["person"]) == set(PEOPLE)
    assert NAMES.kind_of("Anna Molina") == "person"
    assert NAMES.kind_of("Tuesday") is None
    assert "rye" in NAMES.words


def test_facts_are_found_with_their_kinds():
    text = (
        "On 7 May 1842 he met Anna Molina in Lisbon, paid 1,250 or 3.5 crowns in 1843, and left "
        "on March 3. Rooms 12a and 4-6 stay; so do 10:30 and Tuesday."
    )
    found = facts.find_facts(text, NAMES)
    assert [(fact.kind, fact.said) for fact in found] == [
        ("date", "7 May 1842"),
        ("person", "Anna Molina"),
        ("place", "Lisbon"),
        ("number", "1,250"),
        ("number", "3.5"),
        ("year", "1843"),
        ("date", "March 3"),
    ]
    assert all(text[fact.start : fact.end] == fact.said for fact in found)


def test_another_fact_is_of_the_kind_and_never_the_same():
    rng, kinds = np.random.default_rng(1), set()
    text = "he met Anna Molina in Lisbon on 7 May 1842, paid 1,250 in 1843 and saw Faro."
    for fact in facts.find_facts(text, NAMES) * 200:
        other = facts.other_fact(fact, NAMES, rng)
        kinds.add(fact.kind)
        assert other != fact.said
        (again,) = facts.find_facts(f"it is {other} now", NAMES)
        assert (again.kind, again.said) == (fact.kind, other)
    assert kinds == {"person", "place", "date", "number", "year"}


@given(st.from_regex(r"[1-9]\d{0,3}(,\d{3})?(\.\d{1,2})?", fullmatch=True), st.integers(0, 2**32))
def test_another_number_is_written_in_the_same_way(said, seed):
    other = facts.other_number(said, np.random.default_rng(seed))
    shape = ["9" if character.isdigit() else character for character in said]
    assert ["9" if character.isdigit() else character for character in other] == shape
    if len(said) > 1 and said[1].isdigit():
        assert other[0] != "0"


def test_words_are_replaced_where_they_stand_alone():
    instead = {"Anna Molina": "Berta Ortega", "Molina": "Ortega", "12": "13"}
    text = "Anna Molina, Molina's 12 mills, 120 Molinas."
    assert facts.replaced(text, instead) == "Berta Ortega, Ortega's 13 mills, 120 Molinas."
    assert facts.replaced(text, {}) == text
