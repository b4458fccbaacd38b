"""The contracts of a recipe, and the gate behind each step: what is broken ends the run.

A contract is held against the step's dataset, the datasets before it and the baseline: the datasets
of the run that was accepted last. Whatever was held before is found under ``checks/``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pyarrow as pa

from catalog.contracts.check import check_dataset, result_name
from catalog.contracts.subject import STEPS, subject_of
from data_contracts.contract import Contract, shipped
from data_contracts.errors import ContractError, ContractViolation, StoreError
from data_contracts.read_contract import load_contract
from data_contracts.results import CheckResult
from flows.recipe import Recipe
from store.datasets import Dataset, made_how, read_dataset
from store.hints import nearest
from store.storage import Storage

PAGE = "checks/index.html"


def contracts_of(recipe: Recipe, steps: Iterable[str]) -> dict[str, Contract]:
    """Return the contract of each of some steps that has one, the recipe's own above the shipped.

    Raises:
        ContractError: if a file is no contract, or one of a dataset that no recipe makes.
        NotFound: if a file is not there.
    """
    if not recipe.contracts.enabled:
        return {}
    wanted = set(steps)
    own: dict[str, Contract] = {}
    for file in recipe.contracts.files:
        contract = load_contract(file)
        if contract.dataset not in STEPS:
            raise ContractError(
                f"{file} is of a dataset {contract.dataset!r} that no recipe makes; "
                f"{nearest(contract.dataset, STEPS)}"
            )
        if contract.dataset in own:
            raise ContractError(f"{file}: contracts.files has two of {contract.dataset}.")
        own[contract.dataset] = contract
    names = [name for name in {**shipped(), **own} if STEPS.get(name) in wanted]
    return {STEPS[name]: own.get(name) or load_contract(name) for name in names}


def hold(
    storage: Storage,
    contract: Contract,
    dataset: Dataset,
    upstream: Mapping[str, Dataset],
    baseline: Mapping[str, str],
    schemas: Mapping[str, pa.Schema],
) -> tuple[str, CheckResult]:
    """Hold a step's dataset against its contract; return the result's name in the home, and it.

    ``upstream`` are the datasets before it by step, ``schemas`` those of all steps' rows;
    ``baseline`` are the datasets that were accepted last, by step.
    """
    before, accepted = None, baseline.get(dataset.step)
    changed = changed_steps(storage, {**upstream, dataset.step: dataset}, baseline)
    if accepted is not None and not changed:
        with contextlib.suppress(StoreError):  # collected since, or damaged: as if never accepted
            before = read_dataset(storage, dataset.step, accepted)
    subject = subject_of(storage, dataset, upstream, before, schemas)
    if accepted is not None and changed:
        why = f"{', '.join(changed)} is made otherwise than in the run that was accepted"
        subject = replace(subject, why_no_baseline=why)
    return result_name(subject, contract), check_dataset(storage, subject, contract)


def changed_steps(
    storage: Storage, datasets: Mapping[str, Dataset], baseline: Mapping[str, str]
) -> list[str]:
    """Return the steps whose config, version or libraries are others than in the baseline.

    What then differs was meant to: drift is of data, while everything else stays as it is.
    """
    changed = []
    for step, dataset in datasets.items():
        before = made_how(storage, step, baseline[step]) if step in baseline else None
        now = made_how(storage, step, dataset.fingerprint)
        if before is not None and now is not None and before != now:
            changed.append(step)
    return changed


def violation(storage: Storage, run: str, step: str, result: CheckResult) -> ContractViolation:
    """Make the error that ends a run: what is broken, by how many rows, ten of them, what to do."""
    stops = [rule for rule in result.broken() if rule.stops]
    told = ". ".join(rule.sentence() for rule in stops)
    advice = " ".join(dict.fromkeys(rule.remedy for rule in stops if rule.remedy))
    compared = any(rule.compares for rule in stops)
    accept = (
        f" If what changed is how it is meant to be, `millrace accept {run}` makes it the baseline."
        if compared
        else ""
    )
    return ContractViolation(
        f"The contract of {result.name} ({result.version}) stops the run after {step}: {told}. "
        f"{advice}{accept} Nothing after {step} was begun; all results: {storage.place(PAGE)}"
    )
