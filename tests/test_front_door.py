"""The Makefile and its tools: set-up that happens once, ends in one sentence, and can be locked."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what the Makefile's set-up reads, and no environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("target", ["run", "test", "check", "lock"])
@pytest.mark.parametrize("version", ["Python 3.10.12", "Python 3.14.0", None])
def test_an_unfit_python_ends_in_one_sentence(
    clone: Path, target: str, version: str | None
) -> None:
    python = clone / "python"
    if version:
        python.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {version} || exit 1\n')
        python.chmod(0o755)
    done = make(clone, target, f"PYTHON={python}")
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == [
        f"set-up: Millrace needs Python 3.11, 3.12 or 3.13, but '{python}' is "
        f"{version or 'missing'}: name one with make PYTHON=/path/to/python3.11."
    ]
    assert done.returncode != 0
    assert not (clone / ".venv").exists()


def test_set_up_is_due_once_and_again_when_what_it_read_changes(clone: Path) -> None:
    stamps = [".venv/.installed-run", ".venv/.installed-dev"]
    assert make(clone, "-q", *stamps).returncode == 1
    (clone / ".venv").mkdir()
    for stamp in stamps:
        (clone / stamp).touch()
    assert make(clone, "-q", *stamps).returncode == 0
    for name in ("pyproject.toml", "constraints.txt", "tools/set_up.py"):
        later = (clone / stamps[0]).stat().st_mtime + 5
        os.utime(clone / name, (later, later))
        assert make(clone, "-q", stamps[0]).returncode == 1, name
        os.utime(clone / name, (later - 10, later - 10))
    assert make(clone, "-q", *stamps).returncode == 0


@pytest.mark.slow
def test_set_up_mends_a_broken_environment_and_says_in_one_sentence_what_pip_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "python").chmod(0o755)

    assert tool("set_up").main([str(folder), "run"]) == 1

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("set-up: ")
    assert "setuptools" in said
    assert str(folder / "install.log") in said
    assert not list(folder.glob(".installed-*"))
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--version"]
    assert subprocess.run(pip, capture_output=True).returncode == 0


def test_lock_asks_for_everything_and_writes_public_sorted_versions() -> None:
    lock = tool("lock")
    pyproject = {
        "build-system": {"requires": ["builder>=1"]},
        "project": {
            "dependencies": ["b<2", "a"],
            "optional-dependencies": {"dev": ["d"], "train": ["t"]},
        },
    }
    assert sorted(lock.requirements(pyproject)) == sorted(
        ["a", "b<2", "builder>=1", "d", "t", *lock.PINS, *lock.ELSEWHERE]
    )
    names = [("B_x", "1.0"), ("a.b", "2.1+cpu"), ("Ab", "3rc1")]
    report = {"install": [{"metadata": {"name": n, "version": v}} for n, v in names]}
    assert lock.pins(report) == ["a-b==2.1", "ab==3rc1", "b-x==1.0"]


def test_lock_quotes_the_first_thing_pip_said_was_wrong() -> None:
    lock = tool("lock")
    said = "WARNING: x\nERROR: Cannot install a and b\nERROR: ResolutionImpossible: see y\n"
    assert lock.first_error(said) == "Cannot install a and b"
    assert lock.first_error("") == "and it did not say why"
