"""The processor's name as the system gives it."""

import platform
import subprocess

import pytest

from training.processor import bfloat16_flags, processor_name


def test_it_is_named():
    assert processor_name().strip()


@pytest.mark.skipif(platform.system() != "Linux", reason="asks Linux's own tool")
def test_it_is_what_the_system_says():
    told = subprocess.run(["cat", "/proc/cpuinfo"], capture_output=True, text=True).stdout
    assert all(flag in told.split() for flag in bfloat16_flags())
    assert processor_name() in told or "model name" not in told
