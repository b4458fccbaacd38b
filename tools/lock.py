"""Write ``constraints.txt``: one exact version for everything Millrace installs or is tested with.

Run by ``make lock``. A throw-away virtual environment's pip resolves the ranges of
``pyproject.toml`` (dependencies, every extra, the build back end) together with `PINS`, without
installing anything, and its report becomes sorted ``name==version`` lines. No address, hash or
local version (``+cpu``) is kept, so the same file serves any index and any build of a wheel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PINS = ("torch==2.13.0",)  # a newer release may bring gigabytes of GPU libraries along
ELSEWHERE = (  # needed only on a Python that is not the one that locks
    "async-timeout>=4.0.3,<6",  # redis, before 3.11.3
    "whenever>=0.7.3,<0.11",  # prefect 3.8, from 3.13
)

HEADER = """\
# Every version that Millrace runs on and is tested with, its extras included.
# Made by `make lock` (tools/lock.py) with Python {python}; `make run` and `make test` use it.
# Do not edit: change the ranges in pyproject.toml or the pins in tools/lock.py, then lock again.
"""


def requirements(pyproject: dict) -> list[str]:
    """Return every requirement of the project: run, extras, build back end, `PINS`, `ELSEWHERE`."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project["dependencies"], *pyproject["build-system"]["requires"], *PINS, *ELSEWHERE]
    for name in sorted(extras):
        wanted += extras[name]
    return wanted


def resolve(wanted: list[str]) -> dict:
    """Return pip's installation report; end in one sentence if the ranges do not fit together."""
    with tempfile.TemporaryDirectory(prefix="millrace-lock-") as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "-qq", "--dry-run"]
        report = Path(folder) / "report.json"
        pip += ["--ignore-installed", "--report", str(report), *wanted]
        done = subprocess.run(pip, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"lock: pip could not resolve pyproject.toml, {first_error(done.stderr)}")
        return json.loads(report.read_text())


def first_error(pip_output: str) -> str:
    """Return the first line in which pip says what went wrong: later ones say less."""
    errors = [line for line in pip_output.splitlines() if line.startswith("ERROR:")]
    return errors[0].removeprefix("ERROR:").strip() if errors else "and it did not say why"


def pins(report: dict) -> list[str]:
    """Return sorted ``name==version`` lines of a pip report, names normalised, versions public."""
    found = {}
    for entry in report["install"]:
        name = re.sub(r"[-_.]+", "-", entry["metadata"]["name"]).lower()
        found[name] = entry["metadata"]["version"].partition("+")[0]
    return [f"{name}=={found[name]}" for name in sorted(found)]


def main() -> None:
    """Resolve and rewrite ``constraints.txt``."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = pins(resolve(requirements(pyproject)))
    header = HEADER.format(python=".".join(map(str, sys.version_info[:2])))
    (ROOT / "constraints.txt").write_text(header + "\n".join(lines) + "\n")
    print(f"lock: {len(lines)} versions in constraints.txt")


if __name__ == "__main__":
    main()
