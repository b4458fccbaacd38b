"""Imports go one way, heavy libraries have a home, importing does nothing, all is declared."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

OURS = ("store", "data_contracts", "catalog", "pipelines", "training", "flows", "review")
NEVER = {"tests", "benchmarks", "tools"}

FORBIDDEN = {  # package -> roots that it must not import
    "store": {"data_contracts", "catalog", "pipelines", "training", "flows", "review", "duckdb"},
    "data_contracts": {"catalog", "pipelines", "training", "flows", "review"},
    "catalog": {"pipelines", "training", "flows", "review"},
    "pipelines": {"catalog", "training", "flows", "review"},
    "training": {"catalog", "pipelines", "flows", "review"},
    "review": {"pipelines", "training", "flows"},
    "flows": {"review"},
}

HOMES = {  # heavy library -> the only files, or folders, that may import it
    "prefect": ("flows/",),
    "torch": ("training/",),
    "great_expectations": ("data_contracts/gate.py",),
    "sentencepiece": ("pipelines/tokenizer/", "training/", "data_contracts/tokenizer.py"),
    "numba": ("pipelines/kernels/",),
    "sklearn": ("pipelines/labels/",),
    "jinja2": ("catalog/report/", "catalog/contracts/"),
    "yaml": ("data_contracts/",),
}

NOT_IMPORTED = {  # declared distribution -> why no file of ours imports it
    "fastapi": "bounds what Prefect's server installs",
    "sqlalchemy": "bounds what Prefect's server installs",
    "s3fs": "fsspec opens s3:// with it",
    "huggingface-hub": "fsspec opens hf:// with it",
    "pandas": "Great Expectations reads the frames that Arrow makes with it",
    "open-data-contract-standard": "the standard's JSON schema is read from it",
    "lxml-html-clean": "trafilatura's justext needs it; its extra of lxml is spelt otherwise there",
    "tensorboard": "torch writes its events with it",
    "mypy": "a command",
    "ruff": "a command",
    "pytest-xdist": "pytest -n finds it",
}

# What tools that build tables, and tests of peers and readers, import in environments of their own.
OF_PEERS = {
    "datatrove", "gcp-storage-emulator", "megatron", "olmo-core", "regex", "spacy", "uniseg",
}  # fmt: skip


def sources(root: Path, packages: tuple[str, ...] = OURS) -> list[Path]:
    return [path for package in packages for path in sorted((root / package).rglob("*.py"))]


def imported(path: Path, root: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, at any depth of its code."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*base, *filter(None, [node.module])])
        elif isinstance(node, ast.Call) and node.args and _is_import_function(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


def _is_import_function(function: ast.expr) -> bool:
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name in {"import_module", "__import__"}


def violations(root: Path) -> tuple[list[str], int]:
    """Return what breaks the two tables below a root, and the number of imports looked at."""
    found, seen = [], 0
    for path in sources(root):
        where = path.relative_to(root).as_posix()
        forbidden = FORBIDDEN[where.partition("/")[0]] | NEVER
        for name in imported(path, root):
            seen += 1
            library = name.partition(".")[0]
            homes = HOMES.get(library)
            if library in forbidden or (homes and not where.startswith(homes)):
                found.append(f"{where} imports {name}")
    return found, seen


def test_imports_go_one_way_and_heavy_libraries_have_a_home() -> None:
    found, seen = violations(ROOT)
    assert found == []
    assert seen > 100, "hardly any import was looked at"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("store/x.py", "import data_contracts.documents"),
        ("store/x.py", "def f():\n    from duckdb import sql"),
        ("data_contracts/x.py", "if True:\n    from pipelines.split import STEP"),
        ("catalog/x.py", "from flows import recipe"),
        ("pipelines/deep/x.py", "import json, training.loop"),
        ("training/x.py", "import importlib\nimportlib.import_module('pipelines.split')"),
        ("flows/x.py", "from benchmarks import gopher"),
        ("pipelines/x.py", "import prefect.tasks"),
        ("pipelines/signals/x.py", "import numba"),
        ("pipelines/kernels_extra.py", "import numba"),
        ("data_contracts/x.py", "import great_expectations as gx"),
        ("flows/x.py", "__import__('torch')"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, where: str, code: str) -> None:
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(code)
    found, _ = violations(tmp_path)
    assert [line.split(" imports ")[0] for line in found] == [where]


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("pipelines/kernels/x.py", "import numba"),
        ("flows/x.py", "import prefect, catalog.runs, pipelines.split"),
        ("data_contracts/gate.py", "import great_expectations"),
        ("store/sub/x.py", "from ..step import Step\nfrom . import training\nimport storefront"),
    ],
)
def test_what_the_tables_allow_is_not_reported(tmp_path: Path, where: str, code: str) -> None:
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(code)
    found, seen = violations(tmp_path)
    assert found == []
    assert seen > 0


def declared() -> tuple[set[str], set[str]]:
    """Return the normalised names of the distributions declared to run and to develop.

    What an extra brings is there to run with, for whoever wants it, and always to develop.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = [line for name, lines in extras.items() if name != "dev" for line in lines]
    assert set(optional) < set(extras["dev"])
    run, dev = (
        {normalised(re.findall(r"[\w.-]+", line)[0]) for line in lines}
        for lines in ([*project["dependencies"], *optional], extras["dev"])
    )
    return run, dev - run


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party(*packages: str) -> set[str]:
    """Return the distributions (import names where none is installed) that packages import."""
    distributions = packages_distributions()
    roots = {
        name.partition(".")[0] for path in sources(ROOT, packages) for name in imported(path, ROOT)
    }
    helpers = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    roots -= {*sys.stdlib_module_names, *OURS, *NEVER, *helpers}
    return {normalised(distributions.get(root, [root])[0]) for root in roots}


def test_what_is_imported_is_declared() -> None:
    run, dev = declared()
    product = third_party(*OURS)
    assert len(product) >= 5
    assert product <= run
    assert third_party("tests", "tools") <= run | dev | OF_PEERS


def test_what_is_declared_is_imported() -> None:
    run, dev = declared()
    used = third_party(*OURS) & run | third_party("tests", "tools") & dev
    assert (run | dev) - used == set(NOT_IMPORTED)


WATCH = """
import json, logging, os, sys, threading

def state():
    return {
        "environment": dict(os.environ),
        "cwd": os.getcwd(),
        "files": sorted(os.listdir(".")) + sorted(os.listdir(os.environ["HOME"])),
        "handlers": [str(handler) for handler in logging.getLogger().handlers],
        "level": logging.getLogger().level,
        "threads": threading.active_count(),
    }

before = state()
import flows.cli
heavy = sorted({"prefect", "torch", "numba", "great_expectations"} & set(sys.modules))
for name in json.loads(sys.argv[1]):
    __import__(name)
json.dump({"before": before, "after": state(), "heavy": heavy}, sys.stdout)
"""


def quiet_modules() -> list[str]:
    """Return our modules that must be silent: all but those of flows that bring Prefect in."""
    paths = sources(ROOT, ("store", "data_contracts", "catalog", "pipelines", "training"))
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in paths]
    return [".".join(part).removesuffix(".__init__") for part in parts]


def test_importing_does_nothing_and_the_command_starts_light(tmp_path: Path) -> None:
    modules = quiet_modules()
    assert len(modules) > 20
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    environment = {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps(modules)],
        cwd=tmp_path / "work",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)  # so importing printed nothing either
    assert seen["heavy"] == []
    assert seen["after"] == seen["before"]


ALONE = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in json.loads(sys.argv[2]):
            raise ModuleNotFoundError(f"{name} is not on a training machine")

sys.meta_path.insert(0, Absent())
for name in json.loads(sys.argv[1]):
    __import__(name)
json.dump(sorted(name for name in sys.modules if name.split(".")[0] == "store"), sys.stdout)
"""


def test_training_runs_alone_where_only_its_own_libraries_are() -> None:
    run, _ = declared()
    own = {"torch", "numpy", "pyarrow", "safetensors", "sentencepiece"}
    absent = sorted({name.replace("-", "_") for name in run - own} | {"sklearn"})
    paths = sources(ROOT, ("training",))
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in paths]
    modules = [".".join(part) for part in parts if part[1] != "steps" and part[-1] != "__init__"]
    assert len(modules) > 20
    done = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(modules), json.dumps(absent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["store", "store.errors", "store.peak_memory"]
