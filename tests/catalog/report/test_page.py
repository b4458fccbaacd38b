"""The page as a browser and a person get it: whole, safe, honest about what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.opened import OpenedRun
from catalog.report import ReportFacts, report_facts, write_page, write_report
from catalog.report.facts import Sample

VOID = {"meta", "br", "link", "img", "hr", "input"}
MAX_BYTES = 300_000


class Page(HTMLParser):
    """Reads a page: its elements, its attributes, its words; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.pieces.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="session")
def facts(whole: OpenedRun) -> ReportFacts:
    return report_facts(whole)


@pytest.fixture(scope="session")
def text(whole: OpenedRun) -> str:
    return write_report(whole)


@pytest.fixture(scope="session")
def page(text: str) -> Page:
    return Page(text)


def test_nothing_is_loaded_or_run(text: str, page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not {n for _, attrs in page.elements for n in attrs if n.startswith(("on", "src"))}
    assert all(link.startswith("#") for link in page.attributes("href"))
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "color" in style
    assert not re.search(r"url\(|@import|https?:", style)
    policy = next(a for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "http:" not in text
    assert "https:" not in text


def test_what_others_wrote_is_only_text(text: str, page: Page, invented: SimpleNamespace) -> None:
    assert "<script" not in text
    assert '<script>alert("x")</script>' in page.words  # of the sample: shown, not run
    assert '<b>"gamma' not in text
    assert "<i>" not in text
    assert "<i>prompt </i> and more" in page.words
    assert invented.PACKAGES[2] in page.words  # a package called <b>"gamma"</b>
    assert 're"cipe<' in page.words
    assert "Processor <X>" in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", text)
    assert "\\x1b[31m" in page.words
    assert "\\u202e" in page.words


def test_contents_lead_to_sections(page: Page) -> None:
    ids = page.attributes("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in page.attributes("href")} == set(ids)
    assert ids == [
        "comparison", "pretraining", "samples", "tokenizer", "data", "duplicates", "made"
    ]  # fmt: skip


def test_every_drawing_says_what_it_shows(page: Page) -> None:
    drawings = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert len(drawings) >= 11
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 10 for attrs in drawings)


SHOWN = [
    # headline and tiles
    "Pre-training made the classifier better: accuracy 0.712 against 0.624 from scratch",
    "3.21 M",
    "trained on 4.10 M tokens",
    # comparison
    "the same 1,000 test documents",
    "95 % bootstrap intervals, drawn from 20 groups. Only <20> groups.",
    "+0.061 to +0.115",
    "−0.055 to −0.004",
    "All 12 trials",
    "pre-trained with learning rate 0.0003, epochs 6; from scratch with learning rate 0.0003",
    "At the edge of the grid, so that a wider one may do better: from scratch (highest epochs).",
    "step <7>",
    "1,234 words that would name the class masked, 56 documents cut to 64 tokens",
    "TF-IDF was chosen by dev from 2 trials: analyzer characters",
    "have no label 12 <why> 3",
    # pre-training
    "bits per byte",
    "14,321 tokens/s",
    "0.2 % of the time",
    "4 min 46 s",
    "million tokens read",
    "Processor <X>, 2 threads",
    "float32 (measured: bfloat16 is 0.31 times as fast as float32)",
    "3.457 nats a token",
    "feed-forward width 704",
    # samples
    "Return the sum of the values along an axis.",
    "temperature 0.8 · seed 1",
    # tokenizer
    "320 vocabulary",
    "By source and language",
    "on held-out text",
    # data
    "length.short",
    "num_chars < 20",
    "duplicate.exact_text",
    # how it was made
    "torch 2.13.0+cpu",
    "sentencepiece",
    '[policy.rules] "length.short" = "num_chars < 20"',
]


@pytest.mark.parametrize("words", SHOWN)
def test_what_is_known_is_shown(page: Page, words: str) -> None:
    assert words in page.words


def test_the_chosen_trials_have_rings(page: Page) -> None:
    rings = [a for a in page.attributes("class") if "ring" in a.split()]
    assert sorted(rings) == ["ring a", "ring b"]


def test_the_funnel_names_its_stages_in_order(page: Page) -> None:
    stages = ["Read", "Passed the policy", "Curated"]
    places = [page.words.index(f" {name} ", page.words.index(" Data ")) for name in stages]
    assert places == sorted(places)


def test_a_model_without_samples_or_scores_says_so(whole: OpenedRun) -> None:
    names = [record.step for record in whole.run.steps]
    steps = whole.run.steps[: names.index("score_heldout")]
    page = Page(write_report(OpenedRun(whole.storage, replace(whole.run, steps=steps))))
    assert "No samples were drawn in this run." in page.words
    assert "The held-out documents were not scored one by one in this run." in page.words


def test_every_step_has_a_row(page: Page, whole: OpenedRun) -> None:
    for record in whole.run.steps:
        assert record.dataset
        assert record.dataset in page.attributes("title")
        assert record.step in page.words


def test_nothing_is_said_to_be_missing_when_all_is_there(page: Page) -> None:
    assert "absent" not in page.attributes("class")


def test_what_is_missing_is_said(finished: Any) -> None:
    page = Page(write_report(OpenedRun(finished.storage, finished.run)))
    assert page.attributes("class").count("absent") == 1
    assert page.attributes("id") == ["data", "duplicates", "made"]
    for words in (
        "No classifier was trained or judged in this run.",
        "No model was pre-trained in this run.",
        "No documents were labelled for a classifier in this run.",
        "No tokenizer was trained in this run.",
        "no model has been trained in this run.",
        "not UTF-8: byte 0xff",
        "could not be read",
    ):
        assert words in page.words
    assert "None" not in page.words
    assert "nan" not in page.words.lower().split()


NEEDS = {
    "data": "ingest",
    "duplicates": "choose_kept",
    "tokenizer": "train_tokenizer",
    "pretraining": "pretrain",
    "comparison": "pack_labels",
}


@pytest.mark.parametrize("number", [0, 1, 3, 8, 9, 11, 12, 13, 16])
def test_a_run_may_end_after_any_step(whole: OpenedRun, number: int) -> None:
    steps = whole.run.steps[:number]
    page = Page(write_report(OpenedRun(whole.storage, replace(whole.run, steps=steps))))
    assert len(page.words) > 300
    assert set(page.attributes("href")) == {f"#{name}" for name in page.attributes("id")}
    names = [record.step for record in steps]
    assert {name for name, step in NEEDS.items() if step in names} == NEEDS.keys() & set(
        page.attributes("id")
    )


def test_a_failed_run_says_so_first(whole: OpenedRun) -> None:
    *before, last = whole.run.steps[:10]
    steps = (*before, replace(last, state="failed", dataset=None))
    run = replace(whole.run, steps=steps, state="failed", error='Too <little> "text".')
    page = Page(write_report(OpenedRun(whole.storage, run)))
    assert f"This run failed in {last.step}; what it had made until then is below." in page.words
    assert 'Too <little> "text".' in page.words


def test_facts_may_be_missing(facts: ReportFacts) -> None:
    assert facts.pretraining is not None
    assert facts.comparison is not None
    assert facts.task is not None
    assert facts.tokenizer is not None
    bare = replace(
        facts,
        pretraining=replace(facts.pretraining, facts={}, description={}, curve={}, heldout=None),
        comparison=replace(facts.comparison, facts={}, baseline={}, trials=(), curves=()),
        task=replace(facts.task, facts={}, settings={}, left_out={}),
        tokenizer=replace(facts.tokenizer, facts={}, pieces=(), longest=(), use=()),
    )
    page = Page(write_page(bare))
    assert "The held-out documents were not scored one by one" in page.words
    assert "None" not in page.words
    assert "14,321" not in page.words


def test_other_tokenizers_stand_beside_this_one(facts: ReportFacts) -> None:
    assert facts.tokenizer is not None
    other = {"num_pieces": 32_000, "bytes_per_token": 4.2345, "unused_pieces": 29_999}
    told = facts.tokenizer.facts | {
        "compared": {'<b>"theirs".model</b>': {**other, "changed_texts": 3}, "odd": {}},
        "changed_texts": 1,
    }
    changed = replace(facts, tokenizer=replace(facts.tokenizer, facts=told))
    page = Page(write_page(changed))
    assert '<b>"theirs".model</b> 32,000 4.23 29,999 3' in page.words
    assert "Beside other models" in page.words
    assert "Of the measured texts 1 do not come back" in page.words
    assert "Beside other models" not in Page(write_page(facts)).words


def test_odd_facts_do_not_break_the_page(facts: ReportFacts) -> None:
    assert facts.pretraining is not None
    assert facts.comparison is not None
    odd = {"num_parameters": "many", "num_tokens": None, "tokens_per_second": float("nan")}
    trials = (
        {"arm": None, "deep": {"x": 1}},
        {"learning_rate": -1, "macro_f1": 0.5, "epochs": 2, "chosen": True},
        {"learning_rate": 0.1, "macro_f1": "x", "epochs": None},
    )
    page = Page(
        write_page(
            replace(
                facts,
                pretraining=replace(facts.pretraining, facts=odd),
                comparison=replace(
                    facts.comparison,
                    trials=trials,
                    curves=({"step": "x"},),
                    baseline={"chosen": {}, "trials": 3, "top_features": {"a": 5, "b": [" x"]}},
                    facts={"at_edge_of_grid": ["?"], "seconds": None},
                ),
            )
        )
    )
    assert "All 3 trials" in page.words
    assert "·x" in page.words


def test_long_samples_are_cut(facts: ReportFacts) -> None:
    assert facts.pretraining is not None
    sample = Sample("begin", "begin" + "x" * 100_000, 1.0, 0)
    told = write_page(replace(facts, pretraining=replace(facts.pretraining, samples=(sample,) * 9)))
    assert told.count("x…</p>") == 9
    assert len(told.encode()) < MAX_BYTES


def test_the_same_run_gives_the_same_small_page(whole: OpenedRun, text: str) -> None:
    assert write_report(OpenedRun(whole.storage, whole.run)) == text
    assert len(text.encode()) < MAX_BYTES


def test_many_packages_make_a_page(many_packages: Callable[[], OpenedRun]) -> None:
    assert "all others" in Page(write_report(many_packages())).words
