"""Where a recipe stands, in sentences: what its latest run's contracts came to, and what to do.

Said from `catalog.contracts.history`, for the head of the page of validation results and, where a
contract stopped it, of a run's report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from catalog.contracts.history import RecipeHistory, RunChecks, dataset_name
from catalog.report.words import clipped, count, plural
from data_contracts.results import CheckResult, RuleResult
from store.runs import Run

State = Literal[
    "stopped", "failed", "waiting", "running", "warned", "unknown", "passed", "unchecked"
]

MAX_NAMES = 3
MAX_NAME_CHARS = 80
_ORDER: tuple[State, ...] = (
    "stopped",
    "failed",
    "waiting",
    "unknown",
    "warned",
    "running",
    "passed",
    "unchecked",
)


@dataclass(frozen=True)
class Standing:
    """How the latest run of a recipe ended, and what a person should do, most urgent first."""

    recipe_name: str
    state: State
    sentence: str
    todo: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()  # that its state is about

    @property
    def rank(self) -> int:
        """Its place among others, the worst first."""
        return _ORDER.index(self.state)


def standing(history: RecipeHistory) -> Standing:
    """Say where a recipe stands."""
    latest, name = history.latest, clipped(history.recipe_name, MAX_NAME_CHARS)
    state = _state(latest)
    if state in ("passed", "warned", "unchecked") and (left := _left_stopped(history)):
        return Standing(name, "stopped", _left(left, name), (_WHOLE,), tuple(r.name for r in left))
    datasets = _datasets(latest, state)
    return Standing(name, state, _SENTENCES[state](latest, name), _todo(latest, state), datasets)


def headline(standings: Sequence[Standing]) -> str:
    """Say in one sentence where all recipes stand, the worst first."""
    if not standings:
        return "No run has been made in this home yet."
    if len(standings) == 1:
        return standings[0].sentence
    ordered = sorted(standings, key=lambda item: item.rank)
    parts = [
        _CLAUSES[state](_named([item for item in ordered if item.state == state]))
        for state in _ORDER
        if any(item.state == state for item in ordered)
    ]
    return f"In the latest runs {'; '.join(parts)}."


def stop_sentence(what: str, stopped: Mapping[str, Sequence[RuleResult]]) -> str:
    """Say which contracts stopped ``what`` (a run), and how much the first rule is broken by.

    ``stopped`` maps the datasets' names to the rules that stop.
    """
    rules = [rule for broken in stopped.values() for rule in broken]
    others = len(rules) - 1
    more = f", and {plural(others, 'more rule')} {'is' if others == 1 else 'are'} broken"
    contracts = f"The contract{'' if len(stopped) == 1 else 's'} of {_listed(list(stopped))}"
    return f"{contracts} stopped {what}: {extent(rules[0])}{more if others else ''}."


def extent(rule: RuleResult) -> str:
    """Say by how much a rule is broken: ``text.controls is broken by 3 of 3,000 values``."""
    name = clipped(rule.rule, MAX_NAME_CHARS)
    if rule.num_checked <= 1 and rule.observed is not None:
        return f"{name} is broken (observed {clipped(rule.observed, MAX_NAME_CHARS)})"
    if rule.num_checked < max(rule.num_broken, 2):
        return f"{name} is broken"
    return f"{name} is broken by {count(rule.num_broken)} of {count(rule.num_checked)} values"


def _state(latest: RunChecks) -> State:
    run = latest.run
    if latest.stopped:
        return "stopped"
    if run.state in ("failed", "crashed"):
        return "failed"
    if run.state == "waiting":
        return "waiting"
    if run.state == "running":
        return "running"
    if not latest.results:
        return "unchecked"
    if len(latest.known) < len(latest.results):
        return "unknown"
    return "warned" if latest.state == "warned" else "passed"


def _left_stopped(history: RecipeHistory) -> list[CheckResult]:
    """Return the stopping results that are the latest of datasets the latest run did not reach."""
    steps = (step for step in history.steps if step not in history.latest.results)
    found = (next(run.results[s] for run in history.runs if s in run.results) for s in steps)
    return [one.result for one in found if one.result is not None and one.state == "stopped"]


def _left(left: Sequence[CheckResult], name: str) -> str:
    these = stop_sentence(
        f"an earlier run of {name}", {r.name: [x for x in r.broken() if x.stops] for r in left}
    )
    return f"{these} The latest run did not come that far."


_WHOLE = "Run the recipe whole: what the latest run did not come to is checked then."


def _datasets(latest: RunChecks, state: State) -> tuple[str, ...]:
    if state == "unknown":
        gone = (step for step, found in latest.results.items() if found.result is None)
        return tuple(map(dataset_name, gone))
    return tuple(result.name for result in latest.known if result.state == state)


def _stopped(latest: RunChecks, name: str) -> str:
    stopped = {r.name: [rule for rule in r.broken() if rule.stops] for r in latest.stopped}
    return stop_sentence(f"the latest run of {name}", stopped)


def _failed(latest: RunChecks, name: str) -> str:
    run = latest.run
    is_known = len(latest.known) == len(latest.results)
    known = "no contract stopped it" if is_known else "not all of its results are there to be read"
    return f"The latest run of {name} {run.state}{_where(run)}; {known}."


def _where(run: Run) -> str:
    failed = next((step.step for step in run.steps if step.state == "failed"), None)
    return f" in {failed}" if failed else ""


def _unknown(latest: RunChecks, name: str) -> str:
    gone = [step for step, found in latest.results.items() if found.result is None]
    what = "result that is" if len(gone) == 1 else "results that are"
    return (
        f"The latest run of {name} has {count(len(gone))} {what} not there to be read: "
        f"{_listed([dataset_name(step) for step in gone])}."
    )


def _warned(latest: RunChecks, name: str) -> str:
    warned = [result for result in latest.known if result.state == "warned"]
    rules = [rule for result in warned for rule in result.broken()]
    others = len(rules) - 1
    more = f", and {plural(others, 'more rule')}" if others else ""
    which = _listed([result.name for result in warned])
    warn = "warns" if len(warned) == 1 else "warn"
    contracts = f"contract{'' if len(warned) == 1 else 's'} of {which} {warn}"
    return f"The latest run of {name} went through, but the {contracts}: {extent(rules[0])}{more}."


def _passed(latest: RunChecks, name: str) -> str:
    if len(latest.known) == 1:
        return f"The one dataset of the latest run of {name} that has a contract keeps it."
    return f"All {len(latest.known)} datasets of the latest run of {name} keep their contracts."


_SENTENCES: dict[State, Callable[[RunChecks, str], str]] = {
    "stopped": _stopped,
    "failed": _failed,
    "waiting": lambda _, name: f"The latest run of {name} waits for a person.",
    "running": lambda _, name: f"The latest run of {name} has not ended; so far nothing stops it.",
    "unknown": _unknown,
    "warned": _warned,
    "passed": _passed,
    "unchecked": lambda _, name: f"The latest run of {name} held nothing against a contract.",
}
_CLAUSES: dict[State, Callable[[str], str]] = {
    "stopped": lambda names: f"a contract stopped {names}",
    "failed": lambda names: f"{names} failed",
    "waiting": lambda names: f"a person must decide on {names}",
    "running": lambda names: f"there is no end yet of {names}",
    "unknown": lambda names: f"not everything is known of {names}",
    "warned": lambda names: f"{names} went through with warnings",
    "passed": lambda names: f"{names} kept all contracts",
    "unchecked": lambda names: f"nothing was checked in {names}",
}


def _todo(latest: RunChecks, state: State) -> tuple[str, ...]:
    """Return what a person should do, in the order in which to do it."""
    run = latest.run
    if state in ("failed", "waiting"):
        return (clipped(run.error, 1000),) if run.error else ()
    if state == "unknown":
        return ("Run the recipe again: what is not there is checked anew.",)
    if state not in ("stopped", "warned"):
        return ()
    rules = [rule for result in latest.known for rule in result.broken()]
    rules = [rule for rule in rules if rule.stops or state == "warned"]
    remedies = dict.fromkeys(rule.remedy for rule in rules if rule.remedy)
    again = (
        "When the data are mended (or the contract, if it asks for the wrong thing), run the "
        "recipe again: it goes on from here, and what stands is not computed twice."
    )
    return (
        *(f"{clipped(remedy, 600)}" for remedy in remedies),
        *((again,) if state == "stopped" else ()),
        *(_accept(run.name, rules)),
    )


def _accept(run: str, rules: Iterable[RuleResult]) -> Iterable[str]:
    """Yield what to do if what changed is right, where a rule compares with the baseline."""
    if any(rule.compares for rule in rules):
        yield (
            f"If what changed is how it is meant to be, `millrace accept {run}` makes it what "
            f"later runs are compared with."
        )


def _named(standings: Sequence[Standing]) -> str:
    shown = [
        f"{item.recipe_name} ({_listed(item.datasets)})" if item.datasets and _tells(item) else
        item.recipe_name
        for item in standings
    ]  # fmt: skip
    return _listed(shown)


def _tells(item: Standing) -> bool:
    return item.state in ("stopped", "warned", "unknown")


def _listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them, those beyond the first few by their number."""
    shown = [clipped(name, MAX_NAME_CHARS) for name in names[:MAX_NAMES]]
    left = len(names) - len(shown)
    words = [*shown, f"{left} more"] if left else shown
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
