"""The command line: its frozen flags, its exit codes, and one sentence for each way to go wrong."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from flows.cli import COMMANDS, main, make_parser

FLAGS = {
    "run": "RECIPE --force --from --home --json --only --run --set",
    "plan": "RECIPE --home --json --set",
    "runs": "RECIPE --home --json --last",
    "status": "RUN --home --json",
    "explain": "STEP --home --json --run",
    "trace": "ID_OR_TEXT --home --json --run",
    "duplicates": "RUN --home --json --limit --pair",
    "whatif": "--home --json --recipe --run --set",
    "check": "DATASET_OR_FOLDER --baseline --contract --home --json --run",
    "contracts": "NAME_OR_FILE action --json",
    "accept": "RUN --comment --home --json",
    "report": "RUN --home --json",
    "generate": (
        "PROMPT --chat --home --json --max-tokens --model --run --seed --temperature --top-k"
    ),
    "export": "FOLDER --home --json --of --run --split --to",
    "verify": "--deep --home --json --repair",
    "gc": "--delete --home --json --keep-runs",
    "signals": "NAME --json",
    "policies": "name --json --toml",
    "recipes": "--json",
    "deploy": "RECIPE --cron --home --interval --json --name --pause --remove --set --timezone",
    "serve": "--home --json --limit",
    "approve": "RUN --comment --home --json --reject",
    "server": "action --home --json --port",
}


def flags_of(command: str) -> str:
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    actions = commands.choices[command]._actions
    named = [a.option_strings[-1] if a.option_strings else a.metavar or a.dest for a in actions]
    shown = [name for name in named if name != "--help"]
    return " ".join(sorted(shown, key=lambda name: (name.startswith("--"), name)))


def test_the_flags_are_frozen():
    assert {name: flags_of(name) for name in COMMANDS} == FLAGS


def test_every_command_explains_itself(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
        assert len(capsys.readouterr().out) > 100


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "required"),
        (["rnu"], 2, "invalid choice"),
        (["run"], 2, "RECIPE"),
        (["run", "quikstart"], 2, "did you mean 'quickstart'"),
        (["run", "quickstart", "--set", "ingest.kinds=x"], 2, "did you mean 'kind'"),
        (["run", "quickstart", "--set", "split.seed=x"], 2, "must be a whole number"),
        (["run", "quickstart", "--only", "ingets"], 2, "There is no step 'ingets'"),
        (["run", "quickstart", "--home", "/proc/nowhere"], 1, "--home"),
        (["run", "quickstart", "--home", "nosuch://bucket/x"], 2, "--home"),
        (["plan", "my-text", "--set", "ingest.path=/no/such/folder"], 1, "/no/such/folder"),
        (["plan", "my-text"], 2, "ingest.path"),
        (["status"], 2, "millrace run quickstart"),
        (["trace", "abc"], 2, "millrace run quickstart"),
        (["gc", "--keep-runs", "x"], 2, "invalid int"),
        (["approve"], 2, "millrace run quickstart"),
        (["serve", "--limit", "0"], 2, "at least one run"),
        (["deploy", "quikstart"], 2, "did you mean 'quickstart'"),
        (["deploy", "my-text", "--cron", "61 3 * * *"], 2, "has five fields"),
        (["deploy", "my-text", "--cron", "0 3 * * *", "--timezone", "Mars/X"], 2, "Europe/Berlin"),
        (["deploy", "my-text", "--interval", "5"], 2, "a number and a unit"),
        (["deploy", "my-text", "--interval", "5m", "--cron", "0 3 * * *"], 2, "not allowed with"),
        (["deploy", "my-text", "--name", "a/b"], 2, "letters, digits"),
        (["deploy", "my-text", "--pause"], 2, "give --cron or --interval"),
        (["deploy", "my-text", "--remove", "--cron", "0 3 * * *"], 2, "takes no schedule"),
        (["deploy", "my-text", "--set", "approval.after=nosuch"], 2, "no step of the recipe"),
    ],
)
def test_each_wrong_use_ends_in_one_sentence(words, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_json_errors_are_json(millrace):
    answer = millrace("run", "quikstart")
    assert answer.code == answer.value["exit_code"] == 2
    assert "quickstart" in answer.value["error"]


def test_recipes_lists_what_there_is(millrace):
    names = [recipe["name"] for recipe in millrace("recipes").value["recipes"]]
    assert {"quickstart", "my-text"} <= set(names)


def test_an_empty_folder_is_named(millrace, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = millrace(
        "plan", "my-text", "--home", str(tmp_path / "h"), "--set", f"ingest.path={empty}"
    )
    assert answer.code == 1
    assert str(empty) in answer.err


def test_a_closed_pipe_is_no_error(tmp_path):
    command = f"{sys.executable} -m flows.cli recipes | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ)
    assert "Traceback" not in ended.stderr
