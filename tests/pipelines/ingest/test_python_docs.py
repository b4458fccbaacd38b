from __future__ import annotations

import ast
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest import python_docs
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP

Ingest = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """Install a distribution called ``sample`` of the given files, as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        info = tmp_path / "sample-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n")
        outside = ["../../bin/sample.py,,", "/etc/absolute.py,,", "sample-1.0.dist-info/RECORD,,"]
        (info / "RECORD").write_text("\n".join([f"{name},," for name in files] + outside))

    return install


SAMPLE = IngestConfig(distributions=("sample",))


def test_a_distribution_is_read_with_its_labels(
    site: Callable[..., None], ingest_source: Ingest
) -> None:
    site(
        {
            "sample/__init__.py": b"'The package'\n",
            "sample/sub/mod.py": b"class C:\n  'A class'\n  def m(self): 'A method'\n",
            "sample/stub.pyi": b"def f() -> int: 'Stubbed'\n",
            "sample/tests/test_a.py": b"'A test'\n",
            "sample/data.json": b"{}",
            "single.py": b"'raise SystemExit in a docstring'\nraise SystemExit\n",
        }
    )
    found = ingest_source(SAMPLE)
    assert found.keys == ["sample"]
    assert found.quarantined == []
    assert {row["record_key"]: dict(row["labels"]) for row in found.rows} == {
        "sample/__init__.py": {"package": "sample", "module": "sample", "kind": "module"},
        "sample/stub.pyi::f": {"package": "sample", "module": "sample.stub", "kind": "function"},
        "sample/sub/mod.py::C": {"package": "sample", "module": "sample.sub.mod", "kind": "class"},
        "sample/sub/mod.py::C.m": {
            "package": "sample",
            "module": "sample.sub.mod",
            "kind": "method",
        },
        "single.py": {"package": "sample", "module": "single", "kind": "module"},
    }
    assert "sample" not in sys.modules
    assert found.rows[0]["uri"] == "sample/__init__.py"


def test_a_file_that_is_no_python_is_one_quarantined_record(
    site: Callable[..., None], ingest_source: Ingest
) -> None:
    site(
        {
            "sample/good.py": b"'Good'",
            "sample/bad.py": b"'Doc'\ndef f(:",
            "sample/x.py": b"'\\ud800'",
        }
    )
    found = ingest_source(SAMPLE)
    assert list(found.texts.values()) == ["Good"]
    assert [(row["uri"], row["error"]) for row in found.quarantined] == [
        ("sample/bad.py", "line 2: not Python: invalid syntax"),
        ("sample/x.py", "the text holds 1 lone surrogates"),
    ]
    assert found.quarantined[0]["raw"] == b"'Doc'\ndef f(:"


def test_a_reader_that_loses_a_docstring_is_noticed(
    site: Callable[..., None], ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    site({"sample/a.py": b"'Module'\nclass C: 'Class'\n"})
    assert ingest_source(SAMPLE).framed == 2
    whole = python_docs.read_docstrings
    monkeypatch.setattr(python_docs, "read_docstrings", lambda tree: list(whole(tree))[:1])
    with pytest.raises(AssertionError):
        ingest_source(SAMPLE)


def test_spreading_a_distribution_changes_partitions_and_no_row(
    site: Callable[..., None], ingest_source: Ingest
) -> None:
    site({f"sample/m{n}.py": b"'Module %d'" % n for n in range(20)})
    whole, spread = ingest_source(SAMPLE), ingest_source(IngestConfig(distributions=("sample:3",)))
    assert spread.keys == ["sample-000", "sample-001", "sample-002"]
    assert sorted(map(repr, spread.rows)) == sorted(map(repr, whole.rows))


def test_what_is_not_installed_is_named_with_the_remedy(site: Callable[..., None]) -> None:
    with pytest.raises(InputError, match=r"no-such-thing is not installed.*pip install no-such"):
        STEP.list_parts(IngestConfig(distributions=("python", "no-such-thing")))
    site({"sample/data.json": b"{}"})
    with pytest.raises(InputError, match="sample holds no Python file"):
        STEP.list_parts(SAMPLE)
    with pytest.raises(RecipeError, match="distributions is empty"):
        STEP.list_parts(IngestConfig(distributions=()))


def test_a_broken_installation_is_named(site: Callable[..., None], tmp_path: Path) -> None:
    site({"sample/a.py": b"'A'"})
    (tmp_path / "sample/a.py").unlink()
    with pytest.raises(InputError, match=r"sample/a\.py cannot be read"):
        STEP.list_parts(SAMPLE)
    (tmp_path / "sample-1.0.dist-info" / "RECORD").unlink()
    with pytest.raises(InputError, match="sample has no record of its files"):
        STEP.list_parts(SAMPLE)


def test_a_distribution_named_twice_is_refused(site: Callable[..., None]) -> None:
    site({"sample/a.py": b"'A'"})
    with pytest.raises(RecipeError, match=r"reads sample/a\.py twice"):
        STEP.list_parts(IngestConfig(distributions=("sample", "sample:2")))


def test_the_standard_library_is_read_with_its_topics(
    ingest_source: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a part of it, to be quick: the listing is checked whole."""
    (part,) = STEP.list_parts(IngestConfig())
    paths = {file.path for file in part.files}
    assert {"python/asyncio/events.py", "python/json/__init__.py", python_docs.TOPICS} <= paths
    assert not [path for path in paths if "/test/" in path or "site-packages" in path]
    monkeypatch.setattr(
        python_docs, "_is_wanted", lambda path: path.startswith(("json/", "pydoc_data/"))
    )
    found = ingest_source(IngestConfig())
    kinds = Counter(dict(row["labels"])["kind"] for row in found.rows)
    source = Path(sysconfig.get_paths()["stdlib"], "pydoc_data", "topics.py").read_text("utf-8")
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    assert kinds["topic"] == len(namespace["topics"]) > 50
    assert kinds["module"] > 3
    texts = found.texts
    assert texts["python/pydoc_data/topics.py::topics[assert]"].startswith('The "assert" statement')
    assert texts["python/json/__init__.py::dumps"].startswith("Serialize ``obj``")


def test_an_installed_distribution_matches_a_walk_over_every_node(ingest_source: Ingest) -> None:
    """On what the tests themselves need to be installed."""
    found = ingest_source(IngestConfig(distributions=("fsspec",)))
    expected = []
    for file in metadata.files("fsspec") or []:
        if file.suffix in (".py", ".pyi") and not {"tests", "testing"} & set(file.parts):
            for node in ast.walk(ast.parse(file.read_binary())):
                if isinstance(
                    node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
                ):
                    expected.append(ast.get_docstring(node) or "")
    assert sorted(row["text"] for row in found.rows) == sorted(filter(str.strip, expected))
    assert len(found.rows) > 300
