"""What the contracts of a home's runs came to: recipes, their runs latest first, their results.

Read from the records that `store.runs`, `store.accepted` and `catalog.contracts.check` wrote, for
the page of validation results and for a run's report. A result that was collected or is damaged is
no error here: it has a state of its own, which is shown in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Literal

from catalog.contracts.check import read_result
from catalog.contracts.subject import DATASETS
from data_contracts.errors import Damaged
from data_contracts.results import STATES, CheckResult, worst
from store.accepted import Acceptance, accepted_name, find_acceptance
from store.datasets import manifest_name
from store.identity import digest_bytes
from store.runs import Run, list_runs
from store.storage import Storage

MAX_RUNS = 50  # of one recipe; each costs a read per dataset, which a bucket answers slowly
_THREADS = 8

FoundState = Literal["passed", "warned", "stopped", "missing", "damaged"]


@dataclass(frozen=True)
class FoundResult:
    """A result by its name within the home; ``result`` is None if it is missing or damaged."""

    name: str
    result: CheckResult | None
    is_damaged: bool = False

    @property
    def state(self) -> FoundState:
        """What the check came to, or why nobody knows."""
        if self.result is not None:
            return self.result.state
        return "damaged" if self.is_damaged else "missing"

    @property
    def anchor(self) -> str:
        """Where the page of validation results tells of it."""
        return f"r{digest_bytes(self.name.encode('utf-8', 'surrogatepass'))[:16]}"


@dataclass(frozen=True)
class RunChecks:
    """One run: its results by step, in the order of the data path, and whether it was accepted."""

    run: Run
    results: Mapping[str, FoundResult]
    acceptance: Acceptance | None = None
    has_report: bool = False

    @property
    def stopped(self) -> list[CheckResult]:
        """The results whose contracts stop the run, in the order of the data path."""
        return [r for r in self.known if r.state == "stopped"]

    @property
    def known(self) -> list[CheckResult]:
        """The results that could be read."""
        return [found.result for found in self.results.values() if found.result is not None]

    @property
    def state(self) -> str:
        """The worst of its results, "passed" of none; a run itself may have failed all the same."""
        return worst(self.known)


@dataclass(frozen=True)
class RecipeHistory:
    """The runs of a recipe, latest first; ``num_older`` more are not read.

    ``baselines`` maps a step to the acceptance whose dataset later runs are compared with.
    """

    recipe_name: str
    runs: tuple[RunChecks, ...]
    num_older: int
    baselines: Mapping[str, Acceptance]

    @property
    def latest(self) -> RunChecks:
        """The run that began last."""
        return self.runs[0]

    @property
    def steps(self) -> list[str]:
        """The steps whose datasets were checked in any of the runs, in the order of the path."""
        return in_path_order({step for run in self.runs for step in run.results})


@dataclass(frozen=True)
class Records:
    """All recipes of a home, the one that ran last first; ``num_unreadable`` runs are damaged."""

    recipes: tuple[RecipeHistory, ...]
    num_unreadable: int


def read_records(storage: Storage, max_runs: int = MAX_RUNS) -> Records:
    """Return what is known of every recipe's runs, the latest ``max_runs`` of each.

    Raises:
        StoreError: if the home cannot be read; what is damaged in it is left out, or told.
    """
    names = frozenset(name for name, _, _ in storage.list("runs"))
    runs = list(list_runs(storage, skip_damaged=True))
    by_recipe: dict[str, list[Run]] = {}
    for run in reversed(runs):
        by_recipe.setdefault(run.recipe_name, []).append(run)
    read = [run for mine in by_recipe.values() for run in mine[:max_runs]]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = _results(storage, pool, read)
        accepted = dict(_acceptances(storage, pool, runs, names))
    recipes = tuple(
        RecipeHistory(
            recipe_name=recipe,
            runs=tuple(_run_checks(run, found, accepted, names) for run in mine[:max_runs]),
            num_older=max(0, len(mine) - max_runs),
            baselines=_baselines(storage, [accepted[r.name] for r in mine if r.name in accepted]),
        )
        for recipe, mine in by_recipe.items()
    )
    num_listed = sum(name.endswith("/run.json") and name.count("/") == 2 for name in names)
    return Records(recipes, num_listed - len(runs))


def run_results(storage: Storage, run: Run) -> dict[str, FoundResult]:
    """Return what one run's contracts came to, by step, in the order of the data path."""
    return {step: find_result(storage, run.checks[step]) for step in in_path_order(run.checks)}


def find_result(storage: Storage, name: str) -> FoundResult:
    """Return a result by its name within the home, whether or not it can be read."""
    try:
        result = read_result(storage, name)
        if result is not None and not _is_sound(result):
            raise TypeError
    except (Damaged, AttributeError, KeyError, TypeError):
        return FoundResult(name, None, is_damaged=True)
    return FoundResult(name, result)


def in_path_order(steps: Iterable[str]) -> list[str]:
    """Return steps in the order of the data path, unknown ones last."""
    order = {step: number for number, step in enumerate(DATASETS)}
    return sorted(steps, key=lambda step: (order.get(step, len(order)), step))


def dataset_name(step: str) -> str:
    """Return what contracts call the dataset that a step makes."""
    return DATASETS.get(step, step)


def _results(
    storage: Storage, pool: ThreadPoolExecutor, runs: Iterable[Run]
) -> dict[str, FoundResult]:
    """Return the results of runs by their names; each is read once."""
    wanted = sorted({name for run in runs for name in run.checks.values()})
    return {found.name: found for found in pool.map(lambda n: find_result(storage, n), wanted)}


def _run_checks(
    run: Run,
    found: Mapping[str, FoundResult],
    accepted: Mapping[str, Acceptance],
    names: frozenset[str],
) -> RunChecks:
    results = {step: found[run.checks[step]] for step in in_path_order(run.checks)}
    has_report = f"runs/{run.name}/report.html" in names
    return RunChecks(run, results, accepted.get(run.name), has_report)


def _acceptances(
    storage: Storage, pool: ThreadPoolExecutor, runs: list[Run], names: frozenset[str]
) -> Iterator[tuple[str, Acceptance]]:
    """Yield the acceptances of runs that have one which can be read."""

    def find(run: Run) -> Acceptance | None:
        try:
            return find_acceptance(storage, run.name)
        except Damaged:
            return None

    listed = [run for run in runs if accepted_name(run.name) in names]
    for run, acceptance in zip(listed, pool.map(find, listed), strict=True):
        if acceptance is not None:
            yield run.name, acceptance


def _baselines(storage: Storage, accepted: list[Acceptance]) -> dict[str, Acceptance]:
    """Return, by step, the latest acceptance whose dataset still exists."""
    found: dict[str, Acceptance] = {}
    for acceptance in sorted(accepted, key=lambda item: (item.at, item.run), reverse=True):
        for step, dataset in acceptance.datasets.items():
            if step not in found and storage.exists(manifest_name(step, dataset)):
                found[step] = acceptance
    return found


_KINDS: dict[str, tuple[type, ...]] = {  # annotations of the results' fields that are plain
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "str | None": (str, type(None)),
    "float | None": (int, float, type(None)),
}


def _is_sound(result: CheckResult) -> bool:
    """Tell whether every value of a result is of its kind, so that it can be shown."""
    rules = result.rules
    return _has_kinds(result) and all(
        _has_kinds(rule)
        and rule.state in STATES
        and rule.severity in ("stop", "warn")
        and all(isinstance(sample, str) for sample in rule.samples)
        for rule in rules
    )


def _has_kinds(value: Any) -> bool:
    kinds = ((item.name, _KINDS.get(str(item.type))) for item in fields(value))
    return all(kind is None or isinstance(getattr(value, name), kind) for name, kind in kinds)
