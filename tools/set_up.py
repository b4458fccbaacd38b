"""Create Millrace's virtual environment and install the project into it at the pinned versions.

Called by the Makefile as ``python3 tools/set_up.py FOLDER WHAT`` when the stamp
``FOLDER/.installed-WHAT`` is missing or older than what it depends on. ``run`` installs what
``millrace`` needs, ``dev`` also what its tests and checks need. Uses the standard library only.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {"run": ".", "dev": ".[dev]"}
STAMPS = {"run": ("run",), "dev": ("dev", "run")}  # dev holds all that run needs


class SetUpError(Exception):
    """The environment could not be made; the message is for a person."""


def create(folder: Path) -> None:
    """Create the virtual environment, anew if a broken one is there."""
    python = folder / "bin" / "python"
    if python.exists() and _quietly([python, "-m", "pip", "--version"]).returncode == 0:
        return
    print(f"set-up: creating {folder} with Python {sys.version.split()[0]}", flush=True)
    done = _quietly([sys.executable, "-m", "venv", "--clear", folder])
    if done.returncode != 0:
        raise SetUpError(
            f"{sys.executable} cannot create a virtual environment in {folder}: on Debian or "
            f"Ubuntu install python3-venv, elsewhere see `{sys.executable} -m venv {folder}`"
        )


def install(folder: Path, what: str) -> None:
    """Install the project in editable form, its build back end first so that it is pinned too."""
    log = folder / "install.log"
    log.write_text("")
    print(f"set-up: installing into {folder}, minutes the first time; log in {log}", flush=True)
    _pip(folder, log, "setuptools")
    _pip(folder, log, "--no-build-isolation", "--editable", TARGETS[what])


def _pip(folder: Path, log: Path, *arguments: str) -> None:
    """Run ``pip install`` with the constraints, its output into the log and its count shown."""
    command = [folder / "bin" / "python", "-m", "pip", "install", "--no-input"]
    command += ["--disable-pip-version-check", "-c", "constraints.txt", *arguments]
    reason = ""
    with log.open("a") as out, _start(command) as pip:
        for line in pip.stdout or ():
            out.write(line)
            if line.startswith("ERROR:"):
                reason = reason or line.removeprefix("ERROR:").strip().rstrip(".")
            elif line.startswith("WARNING: Retrying"):
                print("set-up: the package index does not answer, trying again", flush=True)
            elif line.startswith("Installing collected packages:") and "," in line:
                print(f"set-up: unpacking {line.count(',') + 1} packages", flush=True)
    if pip.returncode != 0:
        raise SetUpError(
            f"{reason or 'pip failed'}; see {log}, mend it, and run the same command again"
        )


def _start(command: list) -> subprocess.Popen:
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


def _quietly(command: list) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], check=False, capture_output=True)


def main(arguments: list[str]) -> int:
    """Make the environment ready and leave the stamp; 1 and one sentence if that failed."""
    folder, what = Path(arguments[0]), arguments[1]
    started = time.monotonic()
    try:
        create(folder)
        install(folder, what)
    except SetUpError as error:
        print(f"set-up: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: interrupted; the same command goes on.", file=sys.stderr)
        return 130
    for name in STAMPS[what]:
        (folder / f".installed-{name}").touch()
    print(f"set-up: ready in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
