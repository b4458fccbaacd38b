"""The high-water mark is a program's own, whatever the process was that started it."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from store import peak_memory
from store.peak_memory import peak_bytes

ROOT = str(Path(__file__).resolve().parents[2])
CODE = "from store.peak_memory import peak_bytes; print(peak_bytes())"


def test_a_small_program_of_a_large_process_is_small():
    held = np.ones(300 << 20, np.uint8)
    told = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 1 << 20 < int(told.stdout) < 100 << 20 < held.nbytes < peak_bytes()


def test_it_keeps_what_was_freed():
    held = np.ones(200 << 20, np.uint8)
    before = peak_bytes()
    del held
    assert peak_bytes() >= before > 200 << 20


def test_without_the_kernels_file_the_operating_systems_count_is_told(monkeypatch, tmp_path):
    expected = peak_bytes()
    for status in (tmp_path / "none", tmp_path / "empty"):
        (tmp_path / "empty").write_text("Name: python\n")
        monkeypatch.setattr(peak_memory, "_STATUS", status)
        assert peak_bytes() >= 0.9 * expected
