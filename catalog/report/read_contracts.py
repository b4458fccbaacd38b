"""The contracts' part of the report: what each dataset of the run came to when it was checked."""

from __future__ import annotations

from dataclasses import replace

from catalog.contracts.history import FoundResult, dataset_name, run_results
from catalog.opened import OpenedRun
from catalog.report.facts import ContractFacts

MAX_SAMPLES = 3  # of a rule; the page of validation results shows all


def read_contracts(opened: OpenedRun) -> tuple[ContractFacts, ...]:
    """Return what the run's contracts came to, in the order of the data path.

    A result that is missing or damaged has that for its state.
    """
    results = run_results(opened.storage, opened.run)
    return tuple(_facts(step, found) for step, found in results.items())


def _facts(step: str, found: FoundResult) -> ContractFacts:
    name, result = dataset_name(step), found.result
    if result is None:
        return ContractFacts(step, name, found.state, found.anchor)
    states = [rule.state for rule in result.rules]
    return ContractFacts(
        step=step,
        name=name,
        state=result.state,
        anchor=found.anchor,
        version=result.version,
        num_passed=states.count("passed"),
        num_skipped=states.count("skipped"),
        broken=tuple(replace(rule, samples=rule.samples[:MAX_SAMPLES]) for rule in result.broken()),
    )
