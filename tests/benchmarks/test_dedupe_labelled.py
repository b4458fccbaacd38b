import difflib
import re

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import dedupe_labelled as labelled
from benchmarks.dedupe_facts import learn_names
from benchmarks.dedupe_labelled import NEGATIVES
from benchmarks.dedupe_material import Page, fits
from benchmarks.dedupe_negatives import natural_templates
from benchmarks.dedupe_positives import MAX_CUT, POSITIVES, reprints
from benchmarks.dedupe_sources import Pair, Sources, find_tables, make_pairs
from pipelines.dedupe.normalise import normalise
from pipelines.dedupe.verify import VerifyConfig

PLACES = ("Lisbon", "Porto", "Faro", "Braga", "Evora", "Sintra", "Tomar", "Leiria", "Viseu", "Beja")
PEOPLE = [f"{one} {two}" for one in ("Anna", "Berta", "Carla", "Diana", "Erika")
          for two in ("Molina", "Navarro", "Ortega", "Pinheiro", "Quental")]  # fmt: skip
SENTENCES = (
    "The mill in {place} was opened by {person} on {day} May {year}, and it ground rye for bakers.",
    "Before the war the miller increased the price to {number} crowns and won nothing by doing so.",
    "Carts arrived with grain from the northern villages, where {number} farmers had their fields.",
    "In {place} the public could see the wheel; it was larger than others built before {year}.",
    "His brother, {person}, supported the plan because the lower river was strong enough.",
)


def story(rng, num_sentences):
    """Sentences with facts, in paragraphs of two; no two stories share many runs of five words."""
    found = []
    for _ in range(num_sentences):
        said = SENTENCES[rng.integers(len(SENTENCES))].format(
            place=PLACES[rng.integers(10)],
            person=PEOPLE[rng.integers(25)],
            day=rng.integers(1, 29),
            year=rng.integers(1800, 2000),
            number=rng.integers(100, 999),
        )
        extra = " ".join(
            f"{chr(109 + n % 13)}{chr(97 + n % 23)}{chr(97 + n // 26)}mor"
            for n in rng.integers(0, 676, 14)
        )
        found.append(f"{said[:-1]}, and {extra} came.")
    return "\n\n".join(" ".join(found[at : at + 2]) for at in range(0, num_sentences, 2))


@pytest.fixture(scope="module")
def sources():
    rng = np.random.default_rng(7)
    people = [(one, f"{one} (born 3 May 1950) was a miller. {story(rng, 8)}") for one in PEOPLE]
    places = [
        (one, f"A mill stands in {one}. {story(rng, 9)} They lived in {one}.") for one in PLACES
    ]
    articles = people + places
    menu = "\n".join(f"Menu entry number {n} of the site" for n in range(20))
    table = "\n".join(f"row {n}  {n + 3}  {n * 7}  {n + 50}  {n * 11}" for n in range(20))
    return Sources(
        pages=[Page(story(rng, 10), f"Site {n}\n{menu}", f"Terms {n}\n{menu}") for n in range(6)],
        articles=articles,
        news=[story(rng, 2) for _ in range(30)],
        headlines=["Rye is dear", "Wheel turns again"],
        posts=[(story(rng, 1), f"Signature {n} " + "of a long kind " * 15) for n in range(20)],
        books=[("A book of ours.", story(rng, 40), f"Licence. {story(rng, 60)}") for _ in range(4)],
        tables=[table],
        names=learn_names(articles * 3),
    )


@pytest.fixture(scope="module")
def pairs(sources):
    return labelled.make_labelled(sources, 24, 1)


def changed_words(pair):
    """Words that stand in one of the texts only, or elsewhere."""
    left, right = pair.left.split(), pair.right.split()
    blocks = difflib.SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    same = sum(block.size for block in blocks)
    return len(left) - same, len(right) - same


def test_every_kind_has_its_pairs_of_the_sizes_that_are_asked_for(pairs):
    assert set(pairs) == set(NEGATIVES) | set(POSITIVES)
    for kind, of_kind in pairs.items():
        drawn = [pair for pair in of_kind if pair.detail != "natural"]
        assert (
            24 <= len(drawn) < 24 + max(len(NEGATIVES.get(kind, ())), len(POSITIVES.get(kind, ())))
        )
        assert len({(pair.left, pair.right) for pair in drawn}) == len(drawn)
        assert all(pair.kind == kind and pair.left != pair.right for pair in of_kind)
        assert all(fits(text) for pair in drawn for text in pair[2:])


def test_pairs_are_a_function_of_the_seed(sources, pairs):
    assert labelled.make_labelled(sources, 24, 1) == pairs
    assert labelled.make_labelled(sources, 24, 2) != pairs


def test_negatives_differ_in_letters_or_digits(pairs):
    """What only looks otherwise would be a positive."""
    negatives = [pair for kind in NEGATIVES for pair in pairs[kind]]
    lefts, rights = (normalise(pa.array([pair[side] for pair in negatives])) for side in (2, 3))
    assert len(negatives) > 90
    assert all(left != right for left, right in zip(lefts, rights, strict=True))


def test_revisions_change_little_and_of_one_kind(pairs):
    details = set()
    for pair in pairs["revision"]:
        details.add(pair.detail)
        removed, put = changed_words(pair)
        assert max(removed, put) <= 9
        digits = [re.sub(r"\D+", " ", text) for text in pair[2:]]
        if pair.detail in ("number", "date"):
            assert digits[0] != digits[1] or "date" in pair.detail
        else:
            assert digits[0] == digits[1]
        if pair.detail == "negation":
            assert pair.left.split().count("not") != pair.right.split().count("not")
    assert details == {"number", "date", "name", "negation", "reversal"}


def test_tables_differ_in_numbers_alone(pairs):
    for pair in pairs["table"]:
        shapes = [re.sub(r"\d", "9", text) for text in pair[2:]]
        assert shapes[0] == shapes[1]
        assert pair.left != pair.right


def test_pages_of_a_site_share_a_frame_and_no_article(pairs):
    seen = set()
    for pair in pairs["site"]:
        seen.add(pair.detail)
        left, right = pair.left, pair.right
        end = next(at for at in range(1, len(left)) if left[-at:] != right[-at:])
        assert end > 100
    assert seen == {"web page", "signature", "licence"}


def test_layouts_typos_and_scans_keep_numbers_and_names(pairs):
    """Whatever was done to words in lower case, those with digits or capitals are the same ones."""
    touched = 0
    for pair in pairs["typos"] + pairs["scan"]:
        told = [re.findall(r"\b\d+\b|\b[A-Z][a-z]+\b", text) for text in pair[2:]]
        assert told[0] == told[1]
        touched += 1
    for pair in pairs["layout"]:
        told = [re.findall(r"\w", text.casefold()) for text in pair[2:]]
        assert told[0] == told[1]
        touched += 1
    assert touched >= 72


def test_reprints_cut_little_and_only_at_the_end(sources):
    rng = np.random.default_rng(3)
    seen = set()
    for pair in make_pairs(reprints, sources, 30, rng):
        seen.add(pair.detail)
        bodies = [text for _, text in sources.articles] + [page.article for page in sources.pages]
        (body,) = [text for text in bodies if text in pair.left]
        lost = body
        while lost not in pair.right:
            lost = lost[:-1].rstrip()
        assert len(lost.split()) >= (1 - MAX_CUT) * len(body.split()) - 1
    assert seen == {"cut", "whole"}


def test_frames_stand_around_the_whole_article(sources, pairs):
    bodies = [text for _, text in sources.articles] + [page.article for page in sources.pages]
    for pair in pairs["frame"]:
        assert any(body in pair.left and body in pair.right for body in bodies)


def test_too_few_different_pairs_are_said(sources):
    same = Pair("kind", "way", "a " * 60, "b " * 60)
    with pytest.raises(RuntimeError, match="only 1 of 2 pairs"):
        make_pairs(lambda *_: same, sources, 2, np.random.default_rng(1))


def test_natural_templates_have_two_subjects():
    text = "The parish of {} is a civil parish of the county, far from the river and from the sea."
    articles = [(name, text.format(name)) for name in ("Haynes", "Woombup", "Woombup parish")]
    (pair,) = natural_templates(articles)
    assert pair[2:] == (articles[0][1], articles[1][1])


def test_tables_are_found_with_their_headings():
    table = "\n".join(f"name of a long row  {n}  {n + 1}  {n + 2}" for n in range(8))
    text = f"nothing here\n\nheading of it\n{table}\nafter it\nand more\nand more"
    assert list(find_tables([text])) == [f"\nheading of it\n{table}\nafter it\nand more"]


def test_rules_decide_by_similarity():
    words = list("abcdefghijklmnopqrst")
    pair = Pair("", "", " ".join(words), " ".join([*words, "u", "v"]))  # 16 of 18 runs
    rules = [VerifyConfig("jaccard", limit) for limit in (16 / 18, 0.9)]
    assert [labelled.decide([pair, pair], rule).tolist() for rule in rules] == [
        [True, True], [False, False],
    ]  # fmt: skip


def test_strict_rules_decide_by_what_texts_differ_in_too():
    words = " ".join(f"{a}{b}" for a in "bcdfghjklm" for b in "aeiou")
    drawn = [
        Pair("", "", f"{words} 12 {words}x", f"{words} {other} {words}x") for other in (12, 13)
    ]
    rules = [VerifyConfig("jaccard", 0.7), VerifyConfig("strict", 0.7)]
    assert [labelled.decide(drawn, rule).tolist() for rule in rules] == [
        [True, True], [True, False],
    ]  # fmt: skip


def test_wilson_is_the_published_interval():
    low, high = labelled.wilson(8, 10)  # Newcombe 1998 gives 0.4902 to 0.9433 with z of 1.96
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert labelled.wilson(0, 0) == (0.0, 1.0)
    assert labelled.wilson(0, 50)[0] == pytest.approx(0, abs=1e-12)


def test_pairs_that_share_a_key_are_candidates():
    long = " ".join(f"word{n}" for n in range(50))
    other = " ".join(f"other{n}" for n in range(50))
    texts = [long, "too short", other, long.upper(), "too short"]
    assert labelled.candidate_pairs(texts, labelled.FINEWEB) == {(0, 3)}


def test_tables_are_printed_for_all_kinds(pairs, capsys):
    labelled.print_labelled(pairs, [VerifyConfig("jaccard", 0.7)])
    printed = capsys.readouterr().out
    assert all(f"| {kind} |" in printed for kind in pairs)
    assert "| jaccard 0.7 |" in printed
