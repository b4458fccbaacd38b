import random
import time

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.differences import PairFacts, find_differences
from pipelines.kernels.marked_words import marked_words

CORE = (
    "the quick brown fox jumps over a lazy dog while seventeen green birds sing in old trees near "
    "the river every morning before anybody wakes up"
)


def differences(texts, left, right):
    words = marked_words(text_batch(pa.array(texts, pa.string())).codes)
    return find_differences(words, np.array(left, np.int64), np.array(right, np.int64))


NAMES = PairFacts._fields
CORE_WORDS = NAMES.index("core_words")
SIDES = {"left": "right", "right": "left"}
EXCHANGED = [NAMES.index("_".join(SIDES.get(w, w) for w in n.split("_"))) for n in NAMES]


def facts_of(one, two):
    """Return what of the facts of two texts is not 0, but the core; the same from both sides."""
    rows = np.array(differences([one, two], [0, 1], [1, 0]))
    assert rows[:, 0].tolist() == rows[EXCHANGED, 1].tolist()
    facts = dict(zip(NAMES, rows[:, 0].tolist(), strict=True))
    del facts["core_words"]
    return {name: value for name, value in facts.items() if value}


@pytest.mark.parametrize(
    ("two", "expected"),
    [
        (CORE.upper().replace(" ", ",\n"), {}),
        (CORE.replace("fox", "cat"), {"changed_words": 1}),
        (CORE.replace("fox", "Smith"), {"changed_words": 1, "changed_names": 1}),
        (CORE.replace("seventeen", "18"), {"changed_numbers": 1}),
        (CORE.replace("old ", ""), {"dropped_words": 1}),
        (CORE.replace("old ", "old grey "), {"dropped_words": 1}),
        (CORE.replace("old trees ", ""), {"added_words": 2}),
        (CORE.replace("old", "old Norway"), {"added_words": 1}),
        (CORE.replace("sing", "do not sing"), {"added_words": 2, "negations": 1}),
        (CORE.replace("morning", "rnornlng"), {"slips": 1}),
        (CORE.replace("morning", "mor-\nning"), {"slips": 1}),
        (CORE.replace("old trees", "oldtrees"), {"slips": 1}),
        (CORE.replace("dog", "dig"), {"doubtful": 1}),
        (CORE.replace("birds", "birds •"), {}),
        (CORE.replace("birds", "birds $"), {}),
        (CORE.replace("birds", "birds\n12\n"), {}),
        (CORE.replace("birds", "birds\nPage 12\n"), {}),
        (CORE.replace("birds", "birds 12"), {"added_words": 1}),
        (CORE.replace("green", "\n12\ngreen"), {"added_words": 1}),  # beside a number
        (CORE.replace("the", "teh", 1), {"slips": 1}),
        ("Anna " + CORE, {"dropped_words": 1}),
        ("Anna.\n" + CORE, {"right_lost": 1}),
        (
            CORE + ".\nAnd here is what the other text does not have at all.",
            {"right_lost": 12, "right_lost_plain": 11},
        ),
    ],
)
def test_what_two_texts_differ_in(two, expected):
    assert facts_of(CORE, two) == expected


def test_a_headline_is_no_change_and_a_slot_is_one():
    headline = "Fire Kills Three in Ohio\nBy John Smith\n"
    assert facts_of(headline + CORE, "Ohio blaze: three people dead, police say\n" + CORE) == {
        "left_lost": 5,
        "left_lost_plain": 1,
        "right_lost": 7,
        "right_lost_plain": 5,
    }
    assert facts_of("Anna " + CORE, "Bert " + CORE) == {"changed_words": 1}
    assert facts_of("Dear Anna,\n" + CORE, "Dear Bert,\n" + CORE) == {"changed_names": 1}
    assert facts_of(CORE + "\n12 3 456 78", CORE + "\n31 4 159 26") == {"changed_numbers": 4}


def test_the_furniture_of_pages_is_not_counted():
    menu = "Home | News | Sport\nSign in\nSearch\n"
    footer = "\nCopyright 2020 Example. All rights reserved.\nPrivacy Policy\nContact"
    assert facts_of(menu + CORE, CORE + footer) == {}
    assert facts_of(menu + CORE + footer, "Subscribe\nShare this page\n" + CORE) == {}
    other = "Then again all that was written by those who were never there"
    letter = "\nplease do remember which girls sent flowers last week"
    assert facts_of(CORE + letter, CORE + "\n" + other) == {
        "left_lost": 9,
        "left_lost_plain": 9,
        "right_lost": 12,
        "right_lost_plain": 11,
    }


def made_word(number):
    """Return a word of eight letters that is like no other of them."""
    return "".join(random.Random(number).choices("bdfghkmptuxyz", k=8))


FRESH = {
    "word": made_word,
    "name": lambda number: made_word(number).capitalize(),
    "number": lambda number: str(1000 + number),
    "negation": lambda _: "not",
}
SIDE = st.lists(st.sampled_from(sorted(FRESH)), max_size=4)


@st.composite
def revisions(draw):
    """A text, another with some stretches changed, and what that comes to."""
    fresh = iter(range(1000))
    one = [made_word(next(fresh)) for _ in range(8)]
    two, expected = one.copy(), dict.fromkeys(PairFacts._fields, 0)
    for _ in range(draw(st.integers(1, 5))):
        sides = draw(SIDE), draw(st.just([]) | SIDE)
        one += [FRESH[kind](next(fresh)) for kind in sides[0]]
        two += [FRESH[kind](next(fresh)) for kind in sides[1]]
        common = [made_word(next(fresh)) for _ in range(draw(st.integers(3, 12)))]
        one, two = one + common, two + common
        if sides[0] == sides[1] == ["negation"] or {"negation"} <= set(sides[0]) & set(sides[1]):
            return None  # a word in common
        expected["negations"] += (sides[0] + sides[1]).count("negation")
        if not (sides[0] and sides[1]):
            added = sides[0] + sides[1]
            expected["dropped_words" if added == ["word"] else "added_words"] += len(added)
            continue
        for kinds, name in (
            (("word", "negation"), "changed_words"),
            (("name",), "changed_names"),
            (("number",), "changed_numbers"),
        ):
            expected[name] += max(sum(side.count(kind) for kind in kinds) for side in sides)
    common = [made_word(next(fresh)) for _ in range(8)]
    facts = {name: value for name, value in expected.items() if value}
    return " ".join(one + common), " ".join(two + common), facts


def test_facts_are_those_of_the_changes_made():
    seen = dict.fromkeys(PairFacts._fields, 0)

    @given(revisions())
    def check(revision):
        if revision is not None:
            one, two, expected = revision
            assert facts_of(one, two) == expected
            for name in expected:
                seen[name] += 1

    check()
    assert min(seen[name] for name in seen if name.startswith(("changed", "negations"))) > 5
    assert min(seen["dropped_words"], seen["added_words"]) > 0


def test_any_texts_differ_alike_from_both_sides():
    num_differences = 0

    @example(ORDINARY_TEXTS * 2)
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal num_differences
        left, right = np.divmod(np.arange(len(texts) ** 2), max(len(texts), 1))
        there = np.array(differences(texts, left, right))
        back = np.array(differences(texts, right, left))
        assert there[EXCHANGED].tolist() == back.tolist()
        assert there.dtype == np.int32
        assert (there >= 0).all()
        assert not np.delete(there, CORE_WORDS, axis=0)[:, left == right].any()
        alone = [differences(texts, [a], [b]) for a, b in zip(left, right, strict=True)]
        assert not alone or there.tolist() == np.concatenate(alone, axis=1).tolist()
        num_differences += int(np.delete(there, CORE_WORDS, axis=0).any(axis=0).sum())

    check()
    assert num_differences > 20


@pytest.mark.parametrize("pair", [(0, 2), (2, 0), (-1, 0), (0, -1)])
def test_texts_that_are_not_there(pair):
    with pytest.raises(IndexError):
        differences(["a", "b"], *np.array(pair)[:, None])


def test_no_pairs():
    assert all(fact.size == 0 for fact in differences(["a"], [], []))


def test_hostile_texts_take_linear_time():
    texts = [
        "",
        "a " * 500_000,
        "a " * 499_000 + "b " + "a " * 900,
        "0 1 " * 250_000,
        "1 0 0 " * 170_000,
        "x" * 1_000_000,
        "\n" * 1_000_000,
        "́" * 1_000_000,
        " ".join("wörd" + "abcdefgh"[i % 8] for i in range(200_000)),
        " ".join("wörd" + "abcdefgh"[i % 7] for i in range(200_000)),
    ]
    left, right = np.divmod(np.arange(len(texts) ** 2), len(texts))
    differences(texts[:1], [0], [0])
    began = time.process_time()
    facts = np.delete(differences(texts, left, right), CORE_WORDS, axis=0)
    assert time.process_time() - began < 30
    assert not facts[:, left == right].any()
    assert facts.any(axis=0).sum() > 40
