"""The duplicates' part of a run's report: totals in words, clusters, texts side by side."""

from __future__ import annotations

import html
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from similar_run import named, similar_run

from catalog.capped_keys import Capped
from catalog.clusters import Cluster, Clusters, Document
from catalog.near_pairs import NearPair, NearPairs
from catalog.opened import OpenedRun
from catalog.report import report_facts, write_page
from catalog.report.facts import DuplicateFacts, ReportFacts
from catalog.report.read_duplicates import read_duplicates
from catalog.report.section_duplicates import measures_in_words, place, sentences
from catalog.text_difference import text_difference


@pytest.fixture(scope="module")
def facts(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> ReportFacts:
    return report_facts(similar_run(fake, tmp_path_factory.mktemp("similar")))


def section(text: str) -> str:
    return text.partition('<section id="duplicates">')[2].partition("</section>")[0]


def read(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", markup))).strip()


def found_in(facts: ReportFacts) -> DuplicateFacts:
    assert facts.duplicates is not None
    return facts.duplicates


def test_totals_are_told_in_words(facts: ReportFacts) -> None:
    told = list(sentences(found_in(facts)))
    assert told == [
        "5 of the 10 documents that came to the choice were dropped, since another says the same: "
        "3 as near-duplicates, 1 with the same words, 1 with the same text. "
        "2 documents stay in their place, one for 4 of them.",
        "8 pairs of texts were measured. Of 3 pairs both documents stay though they are as "
        'similar as the recipe asks (Jaccard 0.7 or more): the rule "strict" takes what they '
        "differ in for more than a slip.",
        "2 texts share 2 keys with more texts than are compared with each other: compared with "
        "those of other keys alone, and else kept.",
    ]
    assert [sentence in read(section(write_page(facts))) for sentence in told] == [True] * 3


def test_clusters_pairs_and_keys_are_shown(facts: ReportFacts) -> None:
    told = read(section(write_page(facts)))
    assert f"p0<i>.txt (a) {named('a')[:12]}" in told
    assert "0.75 to 1.00" in told
    assert "p0<i>.txt (e) 0.75" in told
    assert "kept: p0<i>.txt (a)" in told
    assert "dropped: p0<i>.txt (e)" in told
    assert "Kept apart, though similar" in told
    assert "kept too: " in told
    assert "Jaccard 0.97, containment 0.98, odd slips 3." in told
    assert "1,200 2 " in told
    assert "900 1 p1<i>.txt (h)" in told


def test_each_text_shows_what_it_has_alone(facts: ReportFacts) -> None:
    markup = section(write_page(facts))
    removed = [read(one) for one in re.findall(r"<del>(.*?)</del>", markup)]
    added = [read(one) for one in re.findall(r"<ins>(.*?)</ins>", markup)]
    assert any(re.fullmatch(r"only in the first: 190[123]\. \(end\)", one) for one in removed)
    assert any(re.fullmatch(r"only in the second: 190[123]\. \(end\)", one) for one in added)
    assert any("oats" in one for one in added)
    assert not any("oats" in one for one in removed)


def test_what_others_wrote_is_only_text(facts: ReportFacts) -> None:
    markup = section(write_page(facts))
    assert "<script" not in markup
    assert "<i>" not in markup
    assert "\u202e" not in markup
    assert '<script>alert("x")</script> \\u202e' in read(markup).replace("\\ u", "\\u")


def test_facts_are_plain_json(facts: ReportFacts) -> None:
    plain: dict[str, Any] = facts.to_json()
    json.dumps(plain, allow_nan=False)
    assert plain["duplicates"]["clusters"]["num_clusters"] == 2
    (first, *_) = plain["duplicates"]["near"]["dropped"]
    assert {one["kind"] for one in first["difference"]["stretches"]} >= {"equal", "replaced"}


def test_a_run_of_before_there_were_pairs(fake: SimpleNamespace, tmp_path: Path) -> None:
    opened = similar_run(fake, tmp_path, without=("find_candidates", "compare_candidates"))
    told = read(section(write_page(report_facts(opened))))
    assert "Near-duplicates were not looked for in this run." in told
    assert "p0<i>.txt (a)" in told
    assert "None" not in told


def test_a_run_that_made_no_choice_says_so(fake: SimpleNamespace, tmp_path: Path) -> None:
    opened = similar_run(fake, tmp_path, without=("choose_kept",))
    assert read_duplicates(opened) is None
    text = write_page(report_facts(opened))
    assert 'id="duplicates"' not in text
    assert "No choice among duplicates was made in this run." in text


def test_a_run_that_read_nothing(fake: SimpleNamespace, tmp_path: Path) -> None:
    opened = similar_run(fake, tmp_path)
    bare = OpenedRun(opened.storage, replace(opened.run, steps=()))
    assert report_facts(bare).duplicates is None
    assert "No choice among duplicates" not in write_page(report_facts(bare))


NOTHING = DuplicateFacts(
    Clusters(100, {}, 0, ()), NearPairs(12, 0, (), ()), Capped(0, 0, ()), {"min_jaccard": 0.7}
)


def test_a_run_in_which_nothing_repeats(facts: ReportFacts) -> None:
    markup = section(write_page(replace(facts, duplicates=NOTHING)))
    assert "<table" not in markup
    assert "<h3" not in markup
    assert read(markup) == (
        "Duplicates Among the 100 documents that came to the choice, none was found to repeat "
        "another. 12 pairs of texts were measured; no two documents that stay are found as "
        "similar as the recipe asks (Jaccard 0.7 or more)."
    )


def test_one_of_a_thing_is_told_as_one() -> None:
    kept = Document("0" * 32)
    cluster = Cluster(kept, 1, {"odd.reason": 1}, 1.0, 1.0, ())
    found = replace(
        NOTHING,
        clusters=Clusters(2, {"odd.reason": 1}, 1, (cluster,)),
        near=NearPairs(1, None, (), ()),
        capped=Capped(1, None, ()),
    )
    assert list(sentences(found)) == [
        "1 of the 2 documents that came to the choice was dropped, since another says the same: "
        "1 odd.reason. 1 document stays in their place, one for 1 of them.",
        "1 pair of texts was measured.",
        "1 text shares some key with more texts than are compared with each other: compared with "
        "those of other keys alone, and else kept.",
    ]


def test_places_and_measures_in_words() -> None:
    assert place(None) == "–"
    assert place(Document("abc")) == "abc"
    assert place(Document("abc", "a.txt", "a.txt")) == "a.txt"
    assert place(Document("abc", "a.txt", "x" * 1000)) == f"a.txt ({'x' * 59}…)"
    assert measures_in_words({}) == ""
    assert measures_in_words({"slips": 0}) == ""
    assert (
        measures_in_words({"jaccard": 0.126, "odd_slips": 1200}) == "Jaccard 0.13, odd slips 1,200."
    )


def test_long_hostile_texts_make_a_light_page(facts: ReportFacts) -> None:
    texts = [
        " ".join(f"{n}\u202e{'x' * 30}{c * (n % 20 == 0)}" for n in range(20_000)) for c in "ab"
    ]
    document = Document("0" * 32, "\u202e" * 10_000, "<b>" * 10_000, 10**9)
    pair = NearPair(document, document, {"jaccard": 0.5}, text_difference(*texts))
    assert pair.difference.num_changes > 3
    near = NearPairs(10**9, 10**6, (pair,) * 3, (pair,) * 2)
    found = replace(found_in(facts), near=near)
    markup = section(write_page(replace(facts, duplicates=found)))
    assert markup.count("The texts go on, or differ further, than is shown.") == 5
    assert len(markup.encode()) < 150_000
    assert "\u202e" not in markup
