"""What goes wrong inside a run ends in one sentence: no traceback, the right exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

COMMAND = "from flows.cli import command; command()"
FAILING = """
import pipelines.split as module
from store.step import Step
def broken(inputs, config):
    {body}
broken.__wrapped__ = module.STEP.run
import flows.graph
flows.graph.SPLIT = Step(**{{**vars(module.STEP), "run": broken}})
from flows.cli import command
command()
"""
INTERRUPTING = "import os, signal, time; os.kill(os.getpid(), signal.{name}); time.sleep(4)"


def run(code, texts, home, *more, **environment):
    words = ["run", "my-text", "--home", str(home), "--set", f"ingest.path={texts}", "--set"]
    words += ["contracts.enabled=false", *more]
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def last_words(ended):
    """Return the sentence, having seen that nothing but progress stands before it."""
    assert "Traceback" not in ended.stderr, ended.stderr
    *progress, sentence = ended.stderr.strip().splitlines()
    assert all(line.split(":")[0].replace("_", "").isalpha() for line in progress), ended.stderr
    assert sentence.startswith("millrace: ")
    assert ended.stdout == ""
    return sentence


def state_of(home):
    (record,) = (home / "runs").glob("*/run.json")
    run = json.loads(record.read_text())
    return run["state"], run["error"]


def test_a_step_that_raises(texts, tmp_path):
    home = tmp_path / "home"
    ended = run(FAILING.format(body="raise ValueError('two\\nlines')"), texts, home)
    sentence = last_words(ended)
    assert ended.returncode == 1
    assert "split failed on partition" in sentence
    assert state_of(home)[0] == "failed"
    assert run(COMMAND, texts, home).returncode == 0


def test_a_step_that_is_not_reproducible(texts, tmp_path):
    home = tmp_path / "home"
    assert run(COMMAND, texts, home).returncode == 0
    body = "out = module.STEP.run(inputs, config); out.rows = out.rows.slice(1); return out"
    ended = run(FAILING.format(body=body), texts, home, "--force", "split")
    assert ended.returncode == 1
    assert "split" in last_words(ended)
    assert run(COMMAND, texts, home).returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption(texts, tmp_path, name):
    home = tmp_path / "home"
    ended = run(FAILING.format(body=INTERRUPTING.format(name=name)), texts, home)
    assert ended.returncode == 128 + signal.SIGINT
    assert "goes on from there" in last_words(ended)
    assert state_of(home) == ("failed", "interrupted")


def test_a_prefect_that_does_not_answer(texts, tmp_path):
    ended = run(COMMAND, texts, tmp_path / "home", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ended.returncode == 1
    assert "http://127.0.0.1:9/api" in last_words(ended)


def test_a_disk_that_fills(texts, tmp_path):
    home = tmp_path / "disk"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", str(home)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        ended = run(COMMAND, texts, home, "--set", "ingest.max_bundle_file_bytes=1")
        assert ended.returncode == 1
        assert "room" in last_words(ended)
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)
