"""``millrace check``: hold a dataset of a run, or any folder of Parquet, against a contract."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from catalog.contracts.check import check_dataset
from catalog.contracts.folder import folder_subject
from catalog.contracts.subject import DATASETS, STEPS, Subject, subject_of
from catalog.opened import OpenedRun
from data_contracts.contract import Contract, shipped
from data_contracts.errors import NotFound, UsageError
from data_contracts.read_contract import load_contract
from data_contracts.results import CheckResult, RuleResult
from flows.commands.context import as_table
from flows.contracts import contracts_of
from flows.recipe import recipe_from_plain
from store.accepted import baseline_of
from store.datasets import read_dataset
from store.runs import get_run
from store.storage import Storage

BROKEN = 3


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "dataset",
        metavar="DATASET_OR_FOLDER",
        help=f"a dataset of a run ({', '.join(STEPS)}), or a folder or file of Parquet",
    )
    parser.add_argument(
        "--contract", metavar="FILE", help="a contract file, or the name of a shipped one"
    )
    parser.add_argument("--run", metavar="NAME", help="the run (default: the last)")
    parser.add_argument(
        "--baseline",
        metavar="RUN_OR_FOLDER",
        help="what to compare with (default: the run accepted last; for a folder: nothing)",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Check; the value is the result with ``exit_code`` 3 if a rule that stops is broken."""
    step = STEPS.get(options.dataset, options.dataset)
    if step in DATASETS and not Path(options.dataset).is_dir():
        result = _check_run(options, step)
    else:
        result = _check_folder(options)
    exit_code = BROKEN if result.state == "stopped" else 0
    return {**result.plain(), "exit_code": exit_code}, _text(result, options.dataset)


def _check_run(options: Namespace, step: str) -> CheckResult:
    """Check a dataset of a run: the contract is the recipe's, unless another is named."""
    storage = Storage(options.home)
    opened = OpenedRun(storage, get_run(storage, options.run))
    dataset = opened.dataset(step)
    others = {name: opened.dataset(name) for name in opened.steps() if name != step}
    before = _baseline_of_run(storage, opened, options.baseline).get(step)
    baseline = read_dataset(storage, step, before) if before else None
    subject = subject_of(storage, dataset, others, baseline)
    contract = load_contract(options.contract) if options.contract else _own(opened, step)
    _check_same(contract, subject)
    return check_dataset(None, subject, contract)


def _baseline_of_run(storage: Storage, opened: OpenedRun, named: str | None) -> dict[str, str]:
    if named is None:
        return baseline_of(storage, opened.run.recipe_name)
    run = get_run(storage, named)
    return {record.step: record.dataset for record in run.steps if record.dataset}


def _own(opened: OpenedRun, step: str) -> Contract:
    contracts = contracts_of(recipe_from_plain(opened.run.recipe), [step])
    if step not in contracts:
        raise NotFound(f"The recipe of {opened.name} has no contract of {step}; name a --contract.")
    return contracts[step]


def _check_same(contract: Contract, subject: Subject) -> None:
    if contract.dataset != subject.name:
        raise UsageError(
            f"{contract.path} is a contract of {contract.dataset}, not of {subject.name}."
        )


def _check_folder(options: Namespace) -> CheckResult:
    """Check a folder; its rows also go by the name that the contract gives them."""
    if options.contract is None:
        raise UsageError(
            f"{options.dataset} is no dataset of a run; to check a folder, name a --contract: a "
            f"file, or a shipped one ({', '.join(shipped())})."
        )
    contract = load_contract(options.contract)
    baseline = Path(options.baseline) if options.baseline else None
    subject = folder_subject(Path(options.dataset), contract.dataset, baseline)
    return check_dataset(None, subject, contract)


def _text(result: CheckResult, named: str) -> str:
    rows = [_row(rule) for rule in _in_order(result)]
    header = ("rule", "severity", "result", "checked", "broken", "observed")
    lines = [as_table(rows, header), ""]
    for rule in result.broken():
        lines += [
            f"{rule.severity}: {rule.sentence()}.",
            *([f"  {rule.remedy}"] * bool(rule.remedy)),
        ]
    lines += [f"skipped: {r.rule}, since {r.why}." for r in result.rules if r.state == "skipped"]
    what = f"{result.num_rows:,} rows in {result.num_parts} files"
    lines.append(f"{named} ({what}) is {_WORDS[result.state]}: {result.summary()}.")
    return "\n".join(lines)


_WORDS = {
    "passed": "as its contract says",
    "warned": "as its contract says, with warnings",
    "stopped": "not as its contract says",
}


def _in_order(result: CheckResult) -> list[RuleResult]:
    rest = [rule for rule in result.rules if rule.state != "broken"]
    return [*result.broken(), *rest]


def _row(rule: RuleResult) -> tuple[Any, ...]:
    checked = f"{rule.num_checked:,}" if rule.num_checked else ""
    broken = f"{rule.num_broken:,}" if rule.state == "broken" else ""
    observed = (rule.observed or "") if rule.state == "broken" else ""
    return rule.rule, rule.severity, rule.state, checked, broken, observed[:40]
