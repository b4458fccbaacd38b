"""The contracts' part of a run's report: what it says of results, and of a run that one stopped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from catalog.contracts.history import find_result
from catalog.opened import OpenedRun
from catalog.report import report_facts, write_report
from catalog.report.section_contracts import headline
from data_contracts.results import CheckResult, RuleResult
from store.datasets import sealed
from store.runs import Run
from store.storage import Storage

HOSTILE = '<script>alert("x")</script> \x1b[31m \u202e'
GOOD = RuleResult("doc_id.unique", "stop", "No id twice.", "expect()", "passed", 150)
SKIPPED = replace(GOOD, rule="drift", state="skipped", why="no run was accepted yet")
STOPS = replace(
    GOOD, rule="text.filled", state="broken", num_checked=1500, num_broken=12, description="Full.",
    samples=tuple(f"doc_id='{n}' {HOSTILE}" for n in range(10)), remedy="Look into `docs`.",
)  # fmt: skip
WARNS = replace(
    STOPS, rule="mean", severity="warn", num_checked=1, num_broken=1, observed="7.5", samples=(),
    remedy=None,
)  # fmt: skip

Checked = Callable[..., OpenedRun]


@pytest.fixture
def checked(finished: Any, tmp_path: Any) -> Checked:
    """Give the finished run with results of its steps, which lie in a home over its own."""

    def made(state: str = "done", **rules: tuple[RuleResult, ...] | str) -> OpenedRun:
        storage = Overlaid(finished.storage, Storage(str(tmp_path / "checks")))
        names = {}
        for step, found in rules.items():
            names[step] = f"checks/contracts/{step}/1.json"
            if isinstance(found, str):
                continue
            result = CheckResult("documents", step, "d", "1.0.0", "c", "o", None, found)
            storage.over.replace_json(names[step], sealed(replace(result, name=step).plain()))
        run: Run = replace(finished.run, checks=names, state=state, error="The whole error.")
        return OpenedRun(storage, run)

    return made


class Overlaid(Storage):
    """A home that tests only read, with results of contracts from another in front of it."""

    def __init__(self, home: Storage, over: Storage) -> None:
        super().__init__(home.url)
        self.over = over

    def read(self, name: str) -> bytes:
        return self.over.read(name) if name.startswith("checks/contracts/") else super().read(name)


def section(text: str) -> str:
    found = text.partition('<section id="contracts">')[2].partition("</section>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", found))).strip()


def test_a_stopped_run_says_which_contract_stopped_it(checked: Checked) -> None:
    opened = checked("failed", ingest=(GOOD,), compute_signals=(GOOD, STOPS, WARNS, SKIPPED))
    text = write_report(opened)
    said = (
        "The contract of signals stopped this run: text.filled is broken by 12 of 1,500 values. "
        "What it had made until then is below."
    )
    assert f"<h1>{said} " in text
    assert headline(report_facts(opened)).startswith(said)
    assert "This run failed" not in text
    assert "<details><summary>The error in full</summary>" in text
    assert "The whole error." in text


def test_another_failure_is_no_contracts_doing(checked: Checked) -> None:
    text = write_report(checked("failed", ingest=(GOOD, WARNS)))
    assert "<h1>This run failed" in text
    assert '<p class="error">The whole error.</p>' in text
    assert "stopped this run" not in text


def test_each_dataset_has_a_line_and_broken_rules_a_few_samples(checked: Checked) -> None:
    opened = checked(compute_signals=(GOOD, WARNS, STOPS, SKIPPED), ingest=(GOOD, GOOD))
    text = write_report(opened)
    told = section(text)
    assert told.index("documents 1.0.0 ✓ passed 2 passed") < told.index(
        "signals 1.0.0 ✕ stopped 1 passed, 2 broken, 1 skipped"
    )
    assert "text.filled is broken by 12 of 1,500 values : Full." in told
    assert "What to do: Look into docs ." in told
    assert "mean is broken (observed 7.5) (a warning)" in told
    assert told.index("text.filled") < told.index("mean is broken")
    assert told.count("doc_id='") == 3
    assert "\\x1b[31m \\u202e" in told
    assert "<script" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
    links = re.findall(r'href="(\.\./[^"]*)"', text)
    anchors = {find_result(opened.storage, name).anchor for name in opened.run.checks.values()}
    assert links[0] == "../../checks/index.html"
    assert {link.partition("#")[2] for link in links[1:]} == anchors
    assert '<a href="#contracts">Contracts</a>' in text


def test_gone_and_damaged_results_are_told(checked: Checked) -> None:
    opened = checked(ingest="gone", split=(GOOD,))
    opened.storage.over.replace(opened.run.checks["split"], b"[]")  # type: ignore[attr-defined]
    told = section(write_report(opened))
    assert "documents ? gone its result was collected; the next run checks it anew" in told
    assert "splits ? damaged its result cannot be read; delete it and run again" in told


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"enabled": True}, "No dataset was held against its contract in this run."),
        ({"enabled": False}, "the recipe turns contracts off."),
        (None, None),  # the recipe is older than contracts
    ],
)
def test_a_run_that_checked_nothing_says_so(
    finished: Any, settings: Any, sentence: str | None
) -> None:
    recipe = {**finished.run.recipe, **({"contracts": settings} if settings else {})}
    text = write_report(OpenedRun(finished.storage, replace(finished.run, recipe=recipe)))
    assert 'id="contracts"' not in text
    assert (sentence or "") in text
    assert ("held against its contract" in text) == (sentence is not None)


def test_facts_are_plain_json(checked: Checked) -> None:
    plain = report_facts(checked(ingest=(GOOD, STOPS))).to_json()
    (found,) = plain["contracts"]
    assert (found["name"], found["state"], found["num_passed"]) == ("documents", "stopped", 1)
    assert found["broken"][0]["num_broken"] == 12
    assert len(found["broken"][0]["samples"]) == 3
