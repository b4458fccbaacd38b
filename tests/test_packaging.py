"""What is installed is what is in the tree, and every version that is installed is pinned."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [
    name.rstrip("*") for name in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
]
CODE_ONLY = shutil.ignore_patterns("__pycache__", ".*")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel from a copy of what it is made of, with the installed build back end."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    for name in PACKAGES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=CODE_ONLY)
    build = f"import setuptools.build_meta as b; b.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (path,) = out.glob("millrace-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_file_of_our_packages(wheel: zipfile.ZipFile) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {Path(name).suffix for name in held} >= {".py", ".toml"}


def test_every_package_is_installed_and_type_checked() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages >= {"store", "data_contracts", "catalog", "pipelines", "flows"}
    assert packages <= set(PACKAGES)
    assert set(PYPROJECT["tool"]["mypy"]["files"]) == packages | {"tools"}


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "millrace = flows.cli:command" in wheel.read(entry_points).decode()
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line) for line in lines)
    pins = dict(line.split("==") for line in lines)
    assert list(pins) == sorted(pins)
    assert len(pins) == len(lines)
    return pins


def requirements() -> tuple[list[Requirement], list[Requirement]]:
    """Return what the project needs to run, and what else it needs to be built and developed."""
    project = PYPROJECT["project"]
    others = [*PYPROJECT["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        others += extra
    return [*map(Requirement, project["dependencies"])], [*map(Requirement, others)]


def test_every_declared_range_holds_its_pin() -> None:
    pins = pinned()
    run, others = requirements()
    outside = [str(need) for need in run + others if pins[need.name] not in need.specifier]
    assert outside == []
    assert pins["torch"] == "2.13.0"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_what_the_declared_distributions_need_is_pinned_too(python: str) -> None:
    run, others = requirements()
    needed = closure(run + others, python)
    assert len(needed) > 100
    assert needed - set(pinned()) == set(), "run make lock"


def test_the_quickstart_reads_only_what_running_installs() -> None:
    recipe = tomllib.loads((ROOT / "flows/recipes/quickstart.toml").read_text())
    entries = recipe["ingest"]["distributions"]
    named = {canonicalize_name(entry.partition(":")[0]) for entry in entries} - {"python"}
    run, _ = requirements()
    assert len(named) >= 3
    assert named <= closure(run, ".".join(map(str, sys.version_info[:2])))


def closure(waiting: list[Requirement], python: str) -> set[str]:
    """Return the names of all that requirements bring in, as far as it is installed here."""
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        need, *waiting = waiting
        key = (canonicalize_name(need.name), frozenset(need.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = distribution(need.name).requires or ()
        except PackageNotFoundError:  # another Python's
            continue
        children = map(Requirement, lines)
        waiting += [child for child in children if applies(child, need.extras, python)]
    return {name for name, _ in seen}


def applies(need: Requirement, extras: set[str], python: str) -> bool:
    """Tell whether a requirement counts on the first release of a Python, with these extras."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    marker = need.marker
    return marker is None or any(marker.evaluate({**here, "extra": e}) for e in extras or {""})
