"""The command ``millrace``: finds the sub-command, runs it, turns errors into one sentence.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 contract broken, 4 waiting for a person. With --json
one JSON document stands on stdout and nothing else; people read the rest on stderr.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from data_contracts.errors import MillraceError, UsageError
from flows.session import DEFAULT_HOME
from store.home import first_line

COMMANDS = {
    "run": "run a recipe: compute what is not there yet, reuse the rest",
    "plan": "show what a run would compute, reuse and cost, and why",
    "runs": "list the runs of a home, the latest first",
    "status": "show each step of a run: fresh, stale, missing, running or failed",
    "explain": "show what a step's partitions were made from and what differs now",
    "trace": "show one document's fate: read where, kept or dropped by what, its partner",
    "duplicates": "show what repeats what: clusters, and similar texts side by side",
    "whatif": "show what other rules would keep and drop, from what a run measured",
    "check": "hold a dataset, or any folder of Parquet, against a data contract",
    "contracts": "list, show or compare data contracts",
    "accept": "make a run the baseline that later ones are compared with",
    "report": "write the page that tells a run, and name it",
    "generate": "let a run's model go on from a prompt, or answer it",
    "export": "lay token shards out for another trainer: Megatron, datatrove, OLMo, llm.c",
    "verify": "check every receipt, manifest and partition of a home",
    "gc": "list (or delete) what no run refers to",
    "signals": "list what can be asked of a document: names, units, meanings",
    "policies": "list the named policies, or show the rules of one and where they are from",
    "recipes": "list the recipes that come with Millrace",
    "deploy": "put a recipe on the home's Prefect server, with a schedule or without",
    "serve": "execute on this machine what is deployed",
    "approve": "decide about a run that waits for a person, and let it go on",
    "server": "start, stop or look at the home's Prefect server",
}
_WITHOUT_HOME = ("recipes", "contracts", "signals", "policies")
_FAILED, _WRONG_USE = 1, 2


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` shows what there is.")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="millrace",
        allow_abbrev=False,
        description="From raw text to a judged language model, step by accountable step.",
    )
    parser.add_argument(
        "--version", action="version", version=f"millrace {importlib.metadata.version('millrace')}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        importlib.import_module(f"flows.commands.{name}").add_arguments(command)
        if name not in _WITHOUT_HOME:
            command.add_argument(
                "--home",
                default=os.environ.get("MILLRACE_HOME", DEFAULT_HOME),
                metavar="DIR",
                help="folder or bucket URL that holds everything "
                f"(default: $MILLRACE_HOME or {DEFAULT_HOME})",
            )
        command.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = make_parser().parse_args(words)
        module = importlib.import_module(f"flows.commands.{options.command}")
        result, text = module.execute(options)
        _print(result if options.json else text, options.json)
        return int(result.get("exit_code", 0))
    except MillraceError as error:
        return _fail(str(error), error.exit_code, "--json" in words)
    except KeyboardInterrupt:
        sentence = "Interrupted; what was finished is kept, the same command goes on from there."
        return _fail(sentence, 130, "--json" in words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as error:
        return _fail(_unexpected(error), _FAILED, "--json" in words)


def command() -> NoReturn:
    """Run the command line as a process of its own: the entry point ``millrace``.

    Ends without the interpreter's tear-down. All that Prefect had to send was sent, and a
    tear-down beside its daemon threads makes DuckDB complain of its own objects on stderr.
    """
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _print(value: Any, as_json: bool) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False) if as_json else value, flush=True)


def _unexpected(error: Exception) -> str:
    """Put the traceback of an error that nobody foresaw into a file; return a sentence."""
    path = Path(tempfile.gettempdir()) / f"millrace-{os.getpid()}.log"
    path.write_text("".join(traceback.format_exception(error)))
    return f"{type(error).__name__} ({first_line(error)}), a defect: its traceback lies in {path}."


def _fail(sentence: str, exit_code: int, as_json: bool) -> int:
    if as_json:
        _print({"error": sentence, "exit_code": exit_code}, as_json)
    print(f"millrace: {sentence}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    command()
