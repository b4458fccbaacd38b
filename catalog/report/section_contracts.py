"""The contracts as the page shows them, and the headline of a run that one of them stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from catalog.contracts.standing import extent, stop_sentence
from catalog.report import verdict, words
from catalog.report.facts import ContractFacts, ReportFacts
from data_contracts.results import RuleResult

CHECKS_PAGE = "../../checks/index.html"  # as seen from runs/<run>/
SIGNS = {"passed": "✓", "warned": "!", "stopped": "✕"}
_MAX_CHARS = 300


def headline(facts: ReportFacts) -> str:
    """Return one or two sentences on how far the run came, and which contract stopped it if any."""
    stopped = {
        item.name: [rule for rule in item.broken if rule.stops]
        for item in facts.contracts
        if item.state == "stopped"
    }
    if not stopped:
        return verdict.headline(facts)
    sentence = stop_sentence("this run", stopped)
    ended = replace(facts, run=replace(facts.run, state="done"))  # how it ended is said already
    return f"{sentence} What it had made until then is below. {verdict.headline(ended)}"


def contracts_view(contracts: Sequence[ContractFacts]) -> list[dict[str, Any]]:
    """Return what the template shows: a row per dataset, its broken rules within."""
    return [
        {
            "name": words.clipped(item.name, 80),
            "step": item.step,
            "version": words.clipped(item.version, 40),
            "state": item.state,
            "sign": SIGNS.get(item.state, "?"),
            "link": f"{CHECKS_PAGE}#{item.anchor}",
            "counts": _counts(item),
            "broken": [_rule(rule) for rule in item.broken],
        }
        for item in contracts
    ]


def _counts(item: ContractFacts) -> str:
    """Count the rules by what became of them."""
    if item.state == "missing":
        return "its result was collected; the next run checks it anew"
    if item.state == "damaged":
        return "its result cannot be read; delete it and run again"
    counts = {"passed": item.num_passed, "broken": len(item.broken), "skipped": item.num_skipped}
    told = [f"{words.count(number)} {state}" for state, number in counts.items() if number]
    return ", ".join(told) or "no rules"


def _rule(rule: RuleResult) -> dict[str, Any]:
    return {
        "extent": extent(rule),
        "stops": rule.stops,
        "description": words.clipped(rule.description or rule.expectation, _MAX_CHARS),
        "why": words.clipped(rule.why or "", _MAX_CHARS),
        "remedy": words.clipped(rule.remedy or "", 2 * _MAX_CHARS),
        "samples": [words.clipped(sample, _MAX_CHARS) for sample in rule.samples],
    }
