"""``millrace contracts``: the shipped contracts, one of them in full, and two held together."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from data_contracts.compatibility import Comparison, compare
from data_contracts.contract import SUITES, shipped
from data_contracts.errors import UsageError
from data_contracts.read_contract import load_contract
from flows.commands.context import as_table

BREAKING = 3
_NAMES = {"list": 0, "show": 1, "diff": 2}
_SHOWN_CHARS = 60


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "action",
        choices=tuple(_NAMES),
        help="list the shipped ones; show one; diff an older one and a newer one",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME_OR_FILE",
        help="a shipped contract by its dataset, or a contract file: one to show, two to diff",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List, show or compare contracts; ``exit_code`` is 3 if what is breaking has no new major.

    Raises:
        UsageError: if there are more or fewer names than the action takes.
        NotFound: if there is no such contract. ContractError: if a file is none.
    """
    wanted = _NAMES[options.action]
    if len(options.names) != wanted:
        raise UsageError(
            f"`millrace contracts {options.action}` takes {wanted} names and not "
            f"{len(options.names)}; `millrace contracts list` shows the shipped ones."
        )
    if options.action == "list":
        return _list()
    return _show(*options.names) if options.action == "show" else _diff(*options.names)


def _list() -> tuple[dict[str, Any], str]:
    contracts = [
        {
            "dataset": contract.dataset,
            "version": contract.version,
            "num_rules": len(contract.rules),
            "path": contract.path,
        }
        for contract in map(load_contract, shipped())
    ]
    rows = [tuple(contract.values()) for contract in contracts]
    value = {"contracts": contracts, "folder": str(SUITES)}
    return value, as_table(rows, ("dataset", "version", "rules", "path"))


def _show(name: str) -> tuple[dict[str, Any], str]:
    contract = load_contract(name)
    text = Path(contract.path).read_text(encoding="utf-8")
    value = {"path": contract.path, "version": contract.version, "contract": contract.plain}
    return value, text.rstrip("\n")


def _diff(old: str, new: str) -> tuple[dict[str, Any], str]:
    before, now = load_contract(old), load_contract(new)
    found = compare(before, now)
    is_bad = found.count("breaking") > 0 and not found.is_enough
    value = {"old": before.path, "new": now.path, **found.plain()}
    return {**value, "exit_code": BREAKING if is_bad else 0}, _text(found)


def _text(found: Comparison) -> str:
    rows = [(c.kind, c.place, c.what, _short(c.old), _short(c.new)) for c in found.changes]
    header = ("kind", "where", "what", "old", "new")
    table = [as_table(rows, header), ""] if rows else []
    return "\n".join([*table, found.sentence()])


def _short(value: str | None) -> str:
    """Return a value on one line; ``--json`` has all of it."""
    flat = " ".join((value or "").split())
    return flat if len(flat) <= _SHOWN_CHARS else flat[: _SHOWN_CHARS - 1] + "…"
