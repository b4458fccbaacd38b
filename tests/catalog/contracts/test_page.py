"""The page of validation results as a browser and a person get it: whole, safe, true to records."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.contracts import page as page_module
from catalog.contracts.check import check_dataset
from catalog.contracts.history import MAX_RUNS, read_records
from catalog.contracts.page import checks_table, write_checks_page
from catalog.contracts.standing import extent
from catalog.contracts.subject import DATASETS, STEPS, subject_of
from catalog.report.page import ticked
from data_contracts.read_contract import read_contract
from data_contracts.results import CheckResult, RuleResult
from store.accepted import accepted_name, baseline_of, record_acceptance
from store.datasets import manifest_name, sealed
from store.identity import digest_bytes
from store.runs import Run, StepRecord, run_name, save_run
from store.storage import Storage

HOSTILE = (
    '<script>alert("x")</script>\' onload="evil()" </code></td></table> {{ 7*7 }} \x1b[31m \u202e'
)
VOID = {"meta", "br"}
STATES = ("passed", "warned", "stopped")


class Page(HTMLParser):
    """Reads a page: its elements with their words; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        found = {"tag": tag, **{k: v or "" for k, v in attrs}, "pieces": [], "in": [*self.open]}
        self.elements.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["pieces"].append(data)

    def all(self, tag: str, class_: str | None = None) -> list[dict[str, Any]]:
        """Elements of a tag, of a class or all."""
        found = [e for e in self.elements if e["tag"] == tag]
        return [e for e in found if class_ is None or class_ in e.get("class", "").split()]

    @property
    def words(self) -> str:
        return words(self.all("body")[0])

    def section(self, dataset: str) -> dict[str, Any]:
        """The section of the only shown result of a dataset."""
        (found,) = [e for e in self.all("section", "result") if words(e).startswith(f"{dataset} ")]
        return found

    def within(self, element: dict[str, Any], tag: str, class_: str | None = None) -> list[Any]:
        return [e for e in self.all(tag, class_) if element in e["in"]]


def words(element: dict[str, Any]) -> str:
    return re.sub(r"\s+", " ", "".join(element["pieces"])).strip()


def rule(name: str = "text.filled", **values: Any) -> RuleResult:
    given = {"severity": "stop", "description": "A text.", "expectation": "expect_this(a=1)"}
    return RuleResult(name, **{**given, "state": "passed", "num_checked": 1000, **values})


BROKEN = {
    "passed": (),
    "warned": (rule("w.drift", severity="warn", state="broken", num_broken=1, num_checked=1),),
    "stopped": (rule("s.bad", state="broken", num_broken=3, samples=("doc_id='a1'",)),),
}


class Nights:
    """A home in which runs are written, one a day."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(str(folder))
        self.day = 0

    def result(self, step: str, *rules: RuleResult, dataset: str = "d1", **values: Any) -> str:
        """Store a result as a check does; return its name."""
        given = {"version": "1.2.0", "contract": "c", "owner": "the owners", "baseline": None}
        given |= {"num_rows": 1000, "num_parts": 4, "checked_at": "2026-11-20T06:00:00+00:00"}
        found = CheckResult(
            name=DATASETS.get(step, step), step=step, dataset=dataset, rules=rules,
            **{**given, **values},
        )  # fmt: skip
        key = digest_bytes(repr((dataset, rules, sorted(values.items()))).encode())
        name = f"checks/contracts/{step}/{key}.json"
        self.storage.replace_json(name, sealed(found.plain()))
        return name

    def run(
        self,
        checks: dict[str, str],
        recipe: str = "nightly",
        state: str = "done",
        name: str | None = None,
        **values: Any,
    ) -> Run:
        """Write a run's record that names these results, or makes them: step -> state or name."""
        self.day += 1
        steps = tuple(
            StepRecord(s, "fresh", "", 1, 1, 0, 0, 0, 1, 1, 1.0, 1, f"{s}-{self.day}")
            for s in values.pop("steps", checks)
        )
        stored = {
            s: self.result(s, rule(), *BROKEN[c], dataset=f"{s}-{self.day}") if c in STATES else c
            for s, c in checks.items()
        }
        for step in steps:
            self.storage.replace_json(manifest_name(step.step, str(step.dataset)), {})
        run = Run(
            name=name or f"{recipe}-{self.day:02d}",
            recipe_name=recipe,
            recipe={},
            state=state,
            steps=steps,
            checks=stored,
            started_at=f"2026-11-{self.day:02d}T02:00:00+00:00",
            **values,
        )
        save_run(self.storage, run)
        return run

    def page(self) -> Page:
        return Page(write_checks_page(self.storage))


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path / "home")


@pytest.fixture
def busy(nights: Nights) -> Nights:
    """Two recipes: one good night, one stopped, and a recipe whose last run warns."""
    good = nights.run(dict.fromkeys(("ingest", "compute_signals", "materialize"), "passed"))
    record_acceptance(nights.storage, good, "checks")
    nights.run({"ingest": "passed", "compute_signals": "stopped"}, state="failed", error="Long.")
    nights.run({"ingest": "passed", "materialize": "warned"}, recipe="weekly")
    nights.storage.replace("runs/nightly-02/report.html", b"<p>")
    return nights


def matrix(page: Page, number: int = 0) -> dict[str, dict[str, str]]:
    """The cells of a recipe's table of runs by run and dataset."""
    table = page.all("table", "matrix")[number]
    heads = [words(th) for th in page.within(table, "th") if th["scope"] == "col"]
    found = {}
    for row in page.within(table, "tr")[1:]:
        (run,) = page.within(row, "span", "run")
        cells = [words(td) for td in page.within(row, "td")]
        found[words(run)] = dict(zip(heads[1:], cells, strict=True))
    return found


def test_the_matrix_says_what_became_of_each_dataset_in_each_run(busy: Nights) -> None:
    assert matrix(busy.page()) == {
        "nightly-02": {
            "documents": "✓ passed",
            "signals": "✕ stopped1 rule",
            "curated": "– not reached",
        },
        "nightly-01": {
            "documents": "✓ passedbaseline",
            "signals": "✓ passedbaseline",
            "curated": "✓ passedbaseline",
        },
    }
    assert list(matrix(busy.page(), 1)) == ["weekly-03"]


def test_the_worst_recipe_comes_first_and_the_headline_says_all(busy: Nights) -> None:
    page = busy.page()
    (head,) = page.all("h1")
    assert words(head) == (
        "In the latest runs a contract stopped nightly (signals); weekly (curated) went through "
        "with warnings."
    )
    assert [words(h)[:7] for h in page.all("h2")][:2] == ["nightly", "weekly "]


def test_nothing_is_loaded_or_run_and_links_lead_somewhere(busy: Nights) -> None:
    text = write_checks_page(busy.storage)
    page = Page(text)
    used = {element["tag"] for element in page.elements}
    assert not used & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    names = {key for element in page.elements for key in element}
    assert not {name for name in names if name.startswith(("on", "src"))}
    policy = next(e for e in page.all("meta") if "http-equiv" in e)
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = words(page.all("style")[0])
    assert not re.search(r"url\(|@import|https?:", style)
    assert "prefers-color-scheme: dark" in style
    assert "http:" not in text
    assert "https:" not in text
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    links = [element["href"] for element in page.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    others = {link for link in links if not link.startswith("#")}
    assert others == {"../runs/nightly-02/report.html"}  # the one that is there


def test_tables_have_scopes_and_captions_and_words_beside_colours(busy: Nights) -> None:
    page = busy.page()
    heads = page.all("th")
    assert len(heads) > 20
    assert all(head["scope"] in ("col", "row") for head in heads)
    tables = page.all("table")
    assert all(len(page.within(table, "caption")) == 1 for table in tables)
    badges = page.all("span", "badge")
    assert len(badges) > 15
    assert all(re.search("[a-z]{4}", words(badge)) for badge in badges)
    signs = [e for e in page.all("span") if e.get("aria-hidden") == "true"]
    assert {words(sign) for sign in signs} == {"✓", "!", "✕", "–"}


def test_a_broken_rule_is_told_whole(nights: Nights) -> None:
    samples = tuple(f"doc_id='{letter}'" for letter in string.ascii_lowercase[:10])
    bad = rule(
        "text.short", state="broken", num_checked=12_345, num_broken=678, observed="678",
        samples=samples, description="Texts are long.", remedy="Look into `docs`; mend <it>.",
    )  # fmt: skip
    skipped = rule("text.drift", state="skipped", why="no run was accepted yet")
    odd = rule("text.sql", state="broken", num_checked=1, num_broken=1, why="it gave NULL")
    name = nights.result("ingest", rule(), skipped, bad, odd, num_rows=12_345, seconds=3.21)
    nights.run({"ingest": name}, state="failed")
    page = nights.page()
    section = page.section("documents")
    told = words(section)
    for part in (
        "✕ stopped",
        "contractdocuments 1.2.0",
        "ownerthe owners",
        "rows12,345 in 4 partitions",
        "checked20 November 2026, 06:00 UTC, in 3.2 s, 0 of 4 partitions read anew",
        "compared withnothing: no run had been accepted before",
        "text.short ✕ stops",
        "Texts are long.",
        "expect_this(a=1)",
        "What to do: Look into docs; mend <it>.",
        "It could not be checked: it gave NULL",
        "1 rule skipped: no run was accepted yet",
        "1 rule passed",
    ):
        assert part in told
    cells = [words(td) for td in page.within(section, "td") if td.get("data-label")]
    assert cells[:3] == ["678", "12,345", "678"]
    (first,) = page.within(section, "ol")[:1]
    assert [words(li) for li in page.within(first, "li")] == list(samples)
    folded = page.within(section, "details")
    assert not any("open" in details for details in folded)
    assert [("text.short" in words(d), "text.filled" in words(d)) for d in folded] == [
        (False, False),
        (False, True),
    ]
    assert told.index("text.short") < told.index("text.drift") < told.index("text.filled")
    (todo,) = page.all("ul", "todo")
    assert words(todo).startswith("Look into docs; mend <it>.")


CLEAN = st.characters(exclude_categories=("Cs",))


@given(text=st.text(CLEAN | st.sampled_from("<>\"'&`{}\x00\x1b\u202e\u2066\ufeff\n"), max_size=60))
def test_what_others_wrote_is_only_text(text: str, hostile_home: Callable[[str], Page]) -> None:
    page = hostile_home(text)
    bare = re.sub(r"\s+", " ", _seen(text)).strip()
    shown = [words(li) for li in page.all("li")]
    assert bare[:30].strip() in " ".join(shown)
    TOUCHED["any"] += 1
    TOUCHED["unseen"] += _seen(text) != text
    TOUCHED["markup"] += any(c in "<>&\"'" for c in text)


TOUCHED: Counter[str] = Counter()


def test_the_texts_of_others_were_of_every_kind() -> None:
    assert TOUCHED["any"] >= 20
    assert TOUCHED["unseen"] > 0
    assert TOUCHED["markup"] > 0


def _seen(text: str) -> str:
    """Spell unseen characters out, by Python's own idea of what can be printed."""

    def is_seen(character: str) -> bool:
        is_space = unicodedata.category(character) == "Zs"
        return character.isprintable() or is_space or character in "\n\t\u200c\u200d"

    spelt = ((c, c.encode("unicode_escape").decode().replace("\\r", "\\x0d")) for c in text)
    return "".join(c if is_seen(c) else escape for c, escape in spelt)


@pytest.fixture(scope="module")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    """Give the page of a home in which a text stands wherever others write; its tags are known."""

    def tags(page: Page) -> Counter[str]:
        return Counter(e["tag"] for e in page.elements if e["tag"] not in ("code", "p"))

    def made(text: str) -> Page:
        nights = Nights(tmp_path_factory.mktemp("hostile") / "home")
        mine = rule(
            text, state="broken", num_broken=2, description=f"x{text}", expectation=f"x{text}",
            observed=f"x{text}", samples=(text, "x"), why=f"x{text}", remedy=f"x{text}",
        )  # fmt: skip
        gone = rule(f"y{text}", state="skipped", why=f"x{text}")
        name = nights.result(
            "ingest", mine, gone, version=f"x{text}", owner=f"x{text}", checked_at=f"x{text}"
        )
        run = nights.run({"ingest": name}, recipe=f"r{text}", name="night", error=text)
        record_acceptance(nights.storage, run, f"x{text}", f"x{text}")
        html = write_checks_page(nights.storage)
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2060-\u2069]", html
        )
        return Page(html)

    plain = tags(made("words"))

    def checked(text: str) -> Page:
        page = made(text)
        assert tags(page) == plain
        return page

    return checked


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("run `a <b>` & `c`", "run <code>a &lt;b&gt;</code> &amp; <code>c</code>"),
        ("one ` <script>", "one ` &lt;script&gt;"),
        ("`a` and `<b>", "<code>a</code> and `&lt;b&gt;"),
        ("`", "`"),
        ("", ""),
        ("\u202e`\x1b`", "\\u202e<code>\\x1b</code>"),
    ],
)
def test_backticks_make_code_and_nothing_else(text: str, markup: str) -> None:
    assert str(ticked(text)) == markup


def test_lone_surrogates_are_spelt_out(nights: Nights) -> None:
    name = nights.result("ingest", rule(state="broken", samples=("x",), num_broken=1))
    value = json.loads(nights.storage.read(name))
    del value["seal"]
    value["rules"][0]["samples"] = ["\ud800"]
    nights.storage.replace(name, json.dumps(sealed(value)).encode())
    nights.run({"ingest": name})
    assert "\\ud800" in nights.page().words
    write_checks_page(nights.storage).encode()


def test_a_real_check_is_told_as_it_came(finished: Any, nights: Nights) -> None:
    contract = read_contract(
        """
        apiVersion: v3.1.0
        kind: DataContract
        id: test
        name: test
        version: 3.0.0
        status: active
        schema:
          - name: documents
            properties:
              - {name: doc_id, logicalType: string, physicalType: string, unique: true}
              - name: text
                logicalType: string
                logicalTypeOptions: {maxLength: 5}
              - name: num_repairs
                logicalType: integer
                logicalTypeOptions: {minimum: 1}
        """,
        "test.yaml",
    )
    dataset = finished.datasets()["ingest"]
    result = check_dataset(None, subject_of(finished.storage, dataset, {}), contract)
    name = "checks/contracts/ingest/real.json"
    nights.storage.create_json(name, sealed(result.plain()))
    nights.run({"ingest": name}, state="failed")
    page = nights.page()
    texts = [row["text"] for row in _rows(finished, dataset)]
    num_long = sum(len(text) > 5 for text in texts)
    assert num_long > 0
    told = words(page.section("documents"))
    assert "text.length ✕ stopsCharacters: maxLength 5." in told
    assert f"{num_long}" in told
    table = {row["rule"]: row for row in checks_table(result)}
    assert table["text.length"]["broken"] == num_long
    assert table["num_repairs.range"]["broken"] == len(texts)
    assert table["doc_id.unique"]["result"] == "passed"
    assert page.all("h1")[0]["pieces"][0].startswith("The contract of documents stopped")


def _rows(finished: Any, dataset: Any) -> list[dict[str, Any]]:
    from store.datasets import StoredPart

    parts = [StoredPart(finished.storage, part, part.key) for part in dataset.parts]
    return [row for part in parts for row in part.table(["text"]).to_pylist()]


def test_long_values_are_cut(nights: Nights) -> None:
    long = "A" * 10_000
    mine = rule(
        "r" * 5000, state="broken", num_broken=9, samples=(long,) * 10, observed=long,
        expectation=long, description=long, why=long, remedy=long,
    )  # fmt: skip
    nights.run({"ingest": nights.result("ingest", mine, owner=long, version=long)}, error=long)
    text = write_checks_page(nights.storage)
    assert len(text) < 40_000
    assert text.count("A…</code>") >= 11


def test_a_result_that_is_gone_or_damaged_says_so_in_its_place(nights: Nights) -> None:
    names = {s: nights.result(s, rule()) for s in ("ingest", "split", "materialize", "pack_tokens")}
    nights.run({**names, "compute_signals": "passed"})
    nights.storage.delete(names["ingest"])
    nights.storage.replace(names["split"], b'{"rules": [')
    wrong = json.loads(nights.storage.read(names["materialize"]))
    del wrong["seal"]
    wrong["rules"][0]["samples"] = [None]
    nights.storage.replace_json(names["materialize"], sealed(wrong))
    odd = sealed({**wrong, "num_rows": "many", "rules": []})
    nights.storage.replace_json(names["pack_tokens"], odd)
    page = nights.page()
    assert matrix(page)["nightly-01"] == {
        "documents": "? gone",
        "signals": "✓ passed",
        "splits": "? damaged",
        "curated": "? damaged",
        "tokens": "? damaged",
    }
    assert names["ingest"] in words(page.section("documents"))
    assert "is not there any more" in words(page.section("documents"))
    assert "is not what was written" in words(page.section("splits"))
    (head,) = page.all("h1")
    assert words(head) == (
        "The latest run of nightly has 4 results that are not there to be read: documents, "
        "splits, curated and 1 more."
    )


def test_names_that_are_none_are_damaged_results(nights: Nights) -> None:
    nights.run({"ingest": "../../etc/passwd"})
    assert matrix(nights.page())["nightly-01"] == {"documents": "? damaged"}


@pytest.mark.parametrize(
    ("state", "checks", "said"),
    [
        ("done", {"ingest": "passed", "split": "passed"}, "All 2 datasets of the latest run"),
        ("done", {"ingest": "passed"}, "The one dataset of the latest run of nightly that has"),
        ("done", {"ingest": "warned"}, "went through, but the contract of documents warns: w.dri"),
        ("failed", {"ingest": "stopped"}, "The contract of documents stopped the latest run of"),
        ("failed", {"ingest": "passed"}, "failed in split; no contract stopped it."),
        ("crashed", {"ingest": "passed"}, "crashed in split; no contract stopped it."),
        ("running", {"ingest": "passed"}, "has not ended; so far nothing stops it."),
        ("waiting", {"ingest": "warned"}, "The latest run of nightly waits for a person."),
        ("done", {}, "The latest run of nightly held nothing against a contract."),
    ],
)
def test_the_headline_says_where_the_recipe_stands(
    nights: Nights, state: str, checks: dict[str, str], said: str
) -> None:
    run = nights.run(checks, state=state, error="Approve <it>." if state == "waiting" else None)
    if state in ("failed", "crashed"):
        failed = StepRecord("split", "failed", "", 0, 0, 0, 0, 0, 0, 0, 0.0, 0, None)
        save_run(nights.storage, run.with_step(failed))
    page = nights.page()
    assert said in words(page.all("h1")[0])
    assert ("Approve <it>." in page.words) == (state == "waiting")


def test_a_run_of_one_step_mends_nothing_that_stands_stopped(nights: Nights) -> None:
    nights.run({"ingest": "passed", "materialize": "stopped"}, state="failed")
    nights.run({"ingest": "passed"})
    page = nights.page()
    assert words(page.all("h1")[0]) == (
        "The contract of curated stopped an earlier run of nightly: s.bad is broken by 3 of 1,000 "
        "values. The latest run did not come that far."
    )
    assert "Run the recipe whole" in page.words
    nights.run({"ingest": "passed", "materialize": "passed"})
    assert "All 2 datasets" in words(nights.page().all("h1")[0])


def test_a_failed_run_whose_result_is_gone_is_not_said_to_be_unstopped(nights: Nights) -> None:
    nights.run({"ingest": "checks/contracts/ingest/gone.json"}, state="failed")
    head = words(nights.page().all("h1")[0])
    assert head == "The latest run of nightly failed; not all of its results are there to be read."


def test_accepting_is_advised_where_a_baseline_is_compared_with(nights: Nights) -> None:
    nights.run({"ingest": "stopped"}, state="failed")
    assert "millrace accept nightly-01" not in nights.page().words
    drift = rule(
        "text.drift", state="broken", num_broken=1, num_checked=1, observed="0.4", compares=True
    )
    nights.run({"ingest": nights.result("ingest", drift)}, state="failed")
    page = nights.page()
    assert "millrace accept nightly-02 makes it what later runs are compared with" in page.words
    assert "text.drift is broken (observed 0.4)." in words(page.all("h1")[0])


def test_what_to_do_is_that_of_the_rules_that_stop(nights: Nights) -> None:
    rules = (
        rule("a.warns", severity="warn", state="broken", num_broken=1, remedy="Wait a night."),
        rule("b.stops", state="broken", num_broken=2, remedy="Mend the source."),
    )
    nights.run({"ingest": nights.result("ingest", *rules)}, state="failed")
    (todo,) = nights.page().all("ul", "todo")
    assert words(todo).startswith("Mend the source.")
    assert "Wait a night." not in words(todo)
    nights.run({"ingest": nights.result("ingest", rules[0])})
    (todo,) = nights.page().all("ul", "todo")
    assert words(todo) == "Wait a night."


@pytest.mark.parametrize(
    ("num_checked", "num_broken", "observed", "said"),
    [
        (3000, 3, None, "x is broken by 3 of 3,000 values"),
        (3000, 3, "3", "x is broken by 3 of 3,000 values"),
        (1, 1, "0.4", "x is broken (observed 0.4)"),  # a fact of the whole dataset
        (1, 7, "7", "x is broken (observed 7)"),  # SQL that counts rows
        (1, 7, None, "x is broken"),
        (0, 0, None, "x is broken"),
    ],
)
def test_the_extent_of_a_broken_rule(
    num_checked: int, num_broken: int, observed: str | None, said: str
) -> None:
    mine = rule("x", state="broken", num_checked=num_checked, num_broken=num_broken)
    assert extent(replace(mine, observed=observed)) == said


def test_baselines_are_those_of_the_store(nights: Nights) -> None:
    steps = ("ingest", "compute_signals", "materialize")
    runs = [nights.run(dict.fromkeys(steps, "passed"))]
    runs.append(nights.run(dict.fromkeys(steps[:2], "passed")))
    runs.append(nights.run(dict.fromkeys(steps[:1], "passed")))
    for run in runs:
        record_acceptance(nights.storage, run, "anna", f"because of {run.name}")
    gone = str(runs[2].steps[0].dataset)
    nights.storage.delete(manifest_name("ingest", gone))
    expected = baseline_of(nights.storage, "nightly")
    table = matrix(nights.page())
    shown = {
        STEPS[dataset]: run.step(STEPS[dataset]).dataset
        for run in runs
        for dataset, cell in table[run.name].items()
        if cell.endswith("baseline")
    }
    assert shown == expected
    assert len(shown) == 3
    told = nights.page().words
    assert "The next run is compared with run nightly-02 in documents, signals: accepted by" in told
    assert "accepted by anna: because of nightly-03" in told


def test_a_result_names_the_run_that_it_was_compared_with(nights: Nights) -> None:
    first = nights.run({"ingest": "passed"})
    record_acceptance(nights.storage, first, "checks")
    later = nights.result("ingest", rule(), baseline=first.steps[0].dataset)
    unknown = nights.result("split", rule(), baseline="f00d" * 10)
    nights.run({"ingest": later, "split": unknown})
    page = nights.page()
    assert "compared withrun nightly-01, dataset ingest-1" in words(page.section("documents"))
    assert "compared withan accepted run, dataset f00df00df00d" in words(page.section("splits"))


def test_a_damaged_acceptance_accepts_nothing(nights: Nights) -> None:
    run = nights.run({"ingest": "passed"})
    nights.storage.replace(accepted_name(run.name), b"{}")
    assert "accepted by" not in nights.page().words


def test_a_step_may_be_unchecked_or_not_yet_reached(nights: Nights) -> None:
    nights.run({"ingest": "passed", "split": "passed", "materialize": "passed"})
    nights.run({"ingest": "passed"}, steps=("ingest", "split"), state="running")
    assert matrix(nights.page())["nightly-02"] == {
        "documents": "✓ passed",
        "splits": "– not checked",
        "curated": "… not yet",
    }


def test_the_same_result_of_several_runs_stands_once(nights: Nights) -> None:
    name = nights.result("ingest", rule())
    for _ in range(6):
        nights.run({"ingest": name})
    section = words(nights.page().section("documents"))
    assert "run nightly-06, nightly-05, nightly-04 and 3 earlier ones" in section


def test_recipes_that_share_a_result_show_it_once_with_the_worse_of_them(nights: Nights) -> None:
    shared = nights.result("ingest", rule())
    nights.run({"ingest": shared, "split": "stopped"}, recipe="bad", state="failed")
    nights.run({"ingest": shared}, recipe="good")
    page = nights.page()
    assert words(page.section("documents")).startswith("documents ✓ passed bad, after ingest")
    assert matrix(page, 1) == {"good-02": {"documents": "✓ passed"}}


def test_of_earlier_results_the_rules_that_hold_are_told_by_name(nights: Nights) -> None:
    nights.run({"ingest": "warned"})
    nights.run({"ingest": "passed"})
    page = nights.page()
    warned, passed = sorted(page.all("section", "result"), key=lambda e: "warned" not in words(e))
    assert [len(page.within(section, "table")) for section in (warned, passed)] == [1, 1]
    (folded,) = page.within(warned, "details")
    assert words(folded) == "1 rule passed text.filled"


def test_older_runs_and_results_that_are_left_out_are_counted(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "MAX_RESULTS", 4)
    for _ in range(8):
        nights.run({"ingest": "warned", "split": "passed"})
    page = nights.page()
    assert len(page.all("section", "result")) == 4
    assert "5 older ones are left out of this page" in page.words
    told = [words(section) for section in page.all("section", "result")]
    days = [int(re.findall(r"run nightly-(\d\d)", text)[0]) for text in told]
    assert days == [8, 7, 6, 8]  # the latest, the newest of the broken before, and what passed
    linked = [a for a in page.all("a") if any(e["tag"] == "td" for e in a["in"])]
    assert len(linked) == 4
    records = read_records(nights.storage, max_runs=3)
    assert [run.run.name for run in records.recipes[0].runs] == [
        "nightly-08",
        "nightly-07",
        "nightly-06",
    ]
    assert records.recipes[0].num_older == 5
    assert MAX_RUNS >= 30


def test_data_that_were_old_when_the_run_began_are_told(nights: Nights) -> None:
    ages = {"newest_at": "2026-10-20T00:00:00+00:00", "fresh_seconds": 7 * 86400.0}
    nights.run({"ingest": nights.result("ingest", rule(), **ages)})
    told = words(nights.page().section("documents"))
    assert (
        "The newest data are of 20 October 2026, 00:00 UTC; the contract promises that they are at "
        "most 7 days old, and when run nightly-01 began they were 5.1 days older than that." in told
    )
    ages["newest_at"] = "some day"
    nights.run({"ingest": nights.result("ingest", rule(), **ages)})
    assert "promises" not in words(nights.page().section("documents"))


def test_equal_records_give_an_equal_page(busy: Nights, tmp_path: Path) -> None:
    text = write_checks_page(busy.storage)
    assert write_checks_page(busy.storage) == text
    copy = Storage(str(tmp_path / "copy"))
    for name, _, _ in reversed(list(busy.storage.list(""))):
        copy.create(name, busy.storage.read(name))
    assert write_checks_page(copy) == text


def test_a_home_without_runs_or_checks_has_a_page(nights: Nights) -> None:
    assert words(nights.page().all("h1")[0]) == "No run has been made in this home yet."
    nights.run({})
    assert "No run of this recipe has held a dataset against a contract" in nights.page().words


def test_damaged_records_of_runs_are_counted(busy: Nights) -> None:
    busy.storage.replace(run_name("torn"), b"{")
    busy.storage.replace_json(run_name("odd"), {"name": "odd"})
    page = busy.page()
    assert "2 records of runs cannot be read and are left out; millrace verify names them." in (
        page.words
    )
    assert len(matrix(page)) == 2


def test_a_contract_without_rules_has_a_section(nights: Nights) -> None:
    nights.run({"ingest": nights.result("ingest")})
    assert "This contract has no rules." in words(nights.page().section("documents"))


def test_the_table_has_the_broken_rules_first() -> None:
    rules = (
        rule("a", observed="0"),
        rule("b", state="skipped", why="no \u202erun"),
        rule("c", severity="warn", state="broken", num_broken=2, samples=("x=1", "y=\x1b2")),
        rule("d", state="broken", num_broken=7, observed="7", samples=("A" * 9999,)),
    )
    given = ("documents", "ingest", "d", "1.0.0", "c", "o", None)
    rows = checks_table(CheckResult(*given, rules))
    assert [row["rule"] for row in rows] == ["d", "c", "a", "b"]
    assert rows[1] == {
        "rule": "c",
        "severity": "warn",
        "result": "broken",
        "broken": 2,
        "observed": "",
        "samples": "x=1\ny=\\x1b2",
        "what must hold": rules[2].description,
        "expectation": "expect_this(a=1)",
    }
    assert list(rows[1])[-1] == "expectation"  # it is long
    assert rows[3]["observed"] == "no \\u202erun"
    assert len(str(rows[0]["samples"])) <= 2000
    assert all(isinstance(value, str | int) for row in rows for value in row.values())
    assert len({tuple(row) for row in rows}) == 1


def test_hostile_samples_of_a_table_are_plain_values(nights: Nights) -> None:
    broken = rule(HOSTILE, state="broken", samples=(HOSTILE,), num_broken=1)
    given = ("documents", "ingest", "d", "1.0.0", "c", "o", None)
    (row,) = checks_table(CheckResult(*given, (replace(broken, observed=None, why=HOSTILE),)))
    assert "\x1b" not in json.dumps(row, ensure_ascii=False)
    assert "\u202e" not in json.dumps(row, ensure_ascii=False)
