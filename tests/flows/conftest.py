"""What tests of the flows share: a real Prefect server, the command line, folders of text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_texts import write_lines

ALONE = ("deployments", "killed_run", "nights", "progress_artifact", "server", "trouble")


def pytest_collection_modifyitems(items):
    """Mark what serves schedules, kills, or looks at a server: other work would disturb it."""
    alone = {Path(__file__).with_name(f"test_{name}.py") for name in ALONE}
    for item in items:
        if item.path in alone and item.get_closest_marker("slow"):
            item.add_marker("serial")


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """The API URL of one real Prefect server for all tests."""
    from flows.server import ensure_server, stop_server

    home = str(tmp_path_factory.mktemp("prefect-home"))
    yield ensure_server(home, port=4400)
    stop_server(home)


@pytest.fixture(scope="module")
def prefect_api(prefect_server):
    """The API URL of that server, configured as a person would for the tests of one file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefect_server)
        yield prefect_server


@pytest.fixture
def texts(tmp_path):
    """A folder of twenty files of ten documents; no two documents are equal."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(20):
        write_lines(folder / f"part-{number:02d}.jsonl", range(number * 10, number * 10 + 10))
    return folder


@pytest.fixture
def millrace(capsys):
    """Run the command line in this process: ``millrace("status")`` -> code, value, out, err."""
    from flows.cli import main

    def run(*words: str, as_json: bool = True) -> SimpleNamespace:
        capsys.readouterr()
        code = main([*words, "--json"] if as_json else list(words))
        out, err = capsys.readouterr()
        value = json.loads(out) if as_json else None
        return SimpleNamespace(code=code, value=value, out=out, err=err)

    return run
