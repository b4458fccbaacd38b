import duckdb
import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import RecipeError
from pipelines.dedupe.verify import VerifyConfig, condition, may_go, terms
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.differences import PairFacts, find_differences
from pipelines.kernels.marked_words import marked_words
from pipelines.kernels.overlap import find_overlaps
from pipelines.kernels.shingles import unique_shingles, word_shingles

ARTICLE = """The council of the old harbour town decided on Monday evening to repair the long wall
that keeps the sea away from its market. Mayor Hedda Lund said that the work would cost 40 million
crowns and last for two summers, and that the boats of the fishermen could stay where they are.
Some of those who live behind the wall are afraid of the noise, but nobody spoke against the plan
when it was read out. The wall was built in 1887 after a storm had carried off eleven houses, and
since then it has been mended with whatever stones were at hand. Engineers from the university
have measured it every spring and found that it is sinking faster than they had believed at first.

A second meeting is going to be held in October, when the first bids of builders should be in."""
MENU = "Home | News | Sport | Weather\nSign in\nSearch\n"
FOOTER = "\nCopyright 2021 Harbour Media. All rights reserved.\nPrivacy Policy\nContact us"
OTHER_STORY = """Young readers of our paper have sent more than enough drawings of cats, ships and
dragons, and it was not easy to choose which of them should hang in the hall of the library."""


def misprinted(text):
    for word, print_ in (
        ("decided", "decidde"),
        ("market", "marktes"),
        ("would", "wuold"),
        ("summers", "sumers"),
        ("behind", "behnid"),
        ("the plan", "teh plan"),
    ):
        text = text.replace(word, print_, 1)
    return text


def scanned(text):
    for word, read in (
        ("harbour", "harhour"),
        ("evening", "evenlng"),
        ("summers", "sumrners"),
        ("behind the", "behindthe"),
        ("carried", "car ried"),
        ("university", "universlty"),
        ("where", "whcrc"),
    ):
        text = text.replace(word, read, 1)
    return text


SAME = {
    "case and lines": ARTICLE.upper().replace("\n", " "),
    "hyphens": ARTICLE.replace("fishermen", "fisher-\nmen").replace("university", "univer-\nsity"),
    "headline": "Wall to be mended at last\nBy Nils Aas\nHARBOUR (AP) - " + ARTICLE,
    "cut at the end": ARTICLE.split("\n\n")[0],
    "menu": MENU + ARTICLE,
    "footer": ARTICLE + FOOTER,
    "misprints": misprinted(ARTICLE),
    "scan": scanned(ARTICLE),
}
OTHER = {
    "words left out": ARTICLE.replace("whatever stones were", "what was"),
    "name left out": ARTICLE.replace("Hedda ", ""),
    "figure": ARTICLE.replace("40 million", "60 million"),
    "magnitude": ARTICLE.replace("million", "billion"),
    "year": ARTICLE.replace("1887", "1878"),
    "written number": ARTICLE.replace("two summers", "three summers"),
    "name": ARTICLE.replace("Hedda Lund", "Berit Moe"),
    "name a letter away": ARTICLE.replace("Lund", "Lind"),
    "month": ARTICLE.replace("October", "November"),
    "negation": ARTICLE.replace("should be", "should not be"),
    "no negation": ARTICLE.replace("nobody", "everybody"),
    "opposite": ARTICLE.replace("faster", "slower"),
    "figure under a menu": MENU + ARTICLE.replace("40", "45") + FOOTER,
    "figure and misprints": misprinted(ARTICLE.replace("40", "45")),
}


def measured(one, two):
    words = marked_words(text_batch(pa.array([one, two])).codes)
    left, right = np.array([0, 1]), np.array([1, 0])
    overlaps = find_overlaps(
        unique_shingles(word_shingles(words.offsets, words.hashes)), left, right
    )
    facts = find_differences(words, left, right)._asdict()
    return pa.table({**facts, "jaccard": overlaps.jaccard, "containment": overlaps.containment})


def is_accepted(one, two, config):
    pairs = measured(one, two)
    rows = duckdb.query(f"SELECT {condition(config)} FROM pairs").fetchall()
    assert len(set(rows)) == 1
    assert len(rows) == len(pairs) == 2
    return rows[0][0]


@pytest.mark.parametrize("kind", SAME)
def test_the_same_article_is_a_duplicate(kind):
    assert is_accepted(ARTICLE, SAME[kind], VerifyConfig(min_jaccard=0.5))


@pytest.mark.parametrize("kind", OTHER)
def test_an_article_with_other_facts_stays(kind):
    assert is_accepted(ARTICLE, OTHER[kind], VerifyConfig("jaccard", min_jaccard=0.4))
    assert not is_accepted(ARTICLE, OTHER[kind], VerifyConfig(min_jaccard=0.4))


def test_a_word_is_lost_in_copying():
    copied = f"{ARTICLE}\n{OTHER_STORY}\n{ARTICLE[:300][::-1]}"
    assert is_accepted(copied, copied.replace("long wall", "wall"), VerifyConfig())
    assert not is_accepted(
        ARTICLE[:500], ARTICLE[:500].replace("long wall", "wall"), VerifyConfig()
    )


def test_a_text_goes_for_one_that_holds_all_of_it():
    """Not the other way round; nor where something is put into the midst of it."""
    lines = ARTICLE.replace("\n\n", "\n" + OTHER_STORY + "\n")
    for longer in (lines, f"{OTHER_STORY}\n{ARTICLE}", f"{ARTICLE}\n{OTHER_STORY}"):
        pairs = measured(ARTICLE, longer)
        assert len(pairs) == 2
        goes = duckdb.query(f"SELECT {may_go(VerifyConfig(), 'left')} FROM pairs").fetchall()
        assert goes == [(True,), (False,)]


def test_headlines_of_both():
    one = "Town mends its wall\nBy Nils Aas\n\n" + ARTICLE
    two = "Old sea wall too weak, say engineers\nHARBOUR (AP) - " + ARTICLE
    assert is_accepted(one, two, VerifyConfig())


def test_pages_of_one_site_stay():
    page, other = ARTICLE + "\n\n" + ARTICLE[:160][::-1], ARTICLE + "\n\n" + OTHER_STORY
    for one, two in (
        (page, other),
        (f"{OTHER_STORY}\n{ARTICLE}", f"{OTHER_STORY[::-1]}\n{ARTICLE}"),
        (f"{ARTICLE}\n{OTHER_STORY}\n{MENU}{FOOTER}", f"{ARTICLE}\n{page[-160:]}\n{MENU}{FOOTER}"),
    ):
        assert is_accepted(one, two, VerifyConfig("jaccard", min_jaccard=0.5))
        assert not is_accepted(one, two, VerifyConfig(min_jaccard=0.5))


def test_terms():
    for side in ("left", "right"):
        assert terms(VerifyConfig("jaccard", 0.8), side) == ("jaccard >= 0.8",)
        assert may_go(VerifyConfig(min_jaccard=0.8), side).startswith("(jaccard >= 0.8 OR ")
    strict = condition(VerifyConfig(min_jaccard=0.8))
    assert all(fact in strict for fact in PairFacts._fields)


@pytest.mark.parametrize(
    "setting", [{"verify": "loose"}, {"min_jaccard": 0.0}, {"min_jaccard": 1.01}]
)
def test_wrong_settings(setting):
    with pytest.raises(RecipeError, match=rf"dedupe\.{next(iter(setting))} is "):
        VerifyConfig(**setting)
