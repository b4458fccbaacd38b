"""What this machine's processor is, for records of runs. Imports no torch."""

from __future__ import annotations

import platform
from pathlib import Path

_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


def processor_name() -> str:
    """Return what the system calls its processor."""
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def bfloat16_flags() -> tuple[str, ...]:
    """Return which of its flags speak of bfloat16; a virtual machine may hide what there is."""
    info = _cpu_info()
    flags = (info.get("flags") or info.get("Features") or "").split()
    return tuple(flag for flag in _BFLOAT16_FLAGS if flag in flags)


def _cpu_info() -> dict[str, str]:
    """Return what Linux says of the first core; nothing on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
