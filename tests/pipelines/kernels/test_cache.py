import os
import subprocess
import sys

import pytest

from data_contracts.errors import ReadOnlyHome
from pipelines.kernels.cache import use_cache_dir
from pipelines.kernels.compiled import compiled

PROGRAM = """
import sys
from pipelines.kernels.cache import use_cache_dir
folder = use_cache_dir(sys.argv[1])
assert "numba" not in sys.modules
import numpy as np
from pipelines.kernels.utf8 import scratch_for
assert scratch_for(np.array([0, 5])).size == 5
hits = sum(scratch_for.stats.cache_hits.values())
print(folder, hits)
"""


def run_program(folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=True
    )
    place, hits = done.stdout.split()
    return place, int(hits)


def test_machine_code_is_kept_in_the_folder_and_used_by_the_next_process(tmp_path):
    place, hits = run_program(tmp_path)
    assert hits == 0
    assert place.startswith(str(tmp_path))
    assert any(name.endswith(".nbi") for _, _, names in os.walk(place) for name in names)
    assert run_program(tmp_path) == (place, 1)


def test_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    before = os.environ.get("NUMBA_CACHE_DIR")
    with pytest.raises(ReadOnlyHome, match="choose a folder that this user can write to"):
        use_cache_dir(tmp_path / "file")
    assert os.environ.get("NUMBA_CACHE_DIR") == before


def test_kernel_without_a_place_for_machine_code_still_runs(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    source = "def add_one(number):\n    return number + 1\n"
    functions = {"__name__": "nowhere"}
    exec(compile(source, "/nowhere/kernel.py", "exec"), functions)
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(functions["add_one"])
    assert compiled(functions["add_one"])(41) == 42


def test_other_errors_of_a_decorator_are_not_hidden():
    with pytest.raises(TypeError):
        compiled("not a function")
