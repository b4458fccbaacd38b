"""Telling processes apart, and whether one that wrote a record still runs, without any clock.

A process is its host, its machine (boots and containers count, as their pids differ), its pid and
when it started.
"""

from __future__ import annotations

import functools
import os
import platform
import uuid
from pathlib import Path
from typing import Any, Literal

import psutil

Record = dict[str, Any]
Life = Literal["running", "gone", "unknown"]


@functools.cache
def identity_of(pid: int) -> Record:
    """Return what tells this process from all others; ``pid`` is its own, for the cache."""
    started = _process(pid)[0]
    return {"host": _host(), "machine": _machine(), "pid": pid, "process_started": started}


def life_of(record: Record) -> Life:
    """Tell what is known here of the process that wrote a record."""
    here = identity_of(os.getpid())
    if (record["host"], record["machine"]) != (here["host"], here["machine"]):
        return "unknown"
    started, state = _process(record["pid"])
    if not started and _is_hidden(record["pid"]):
        return "unknown"
    if started != record["process_started"] or state in ("Z", "X"):
        return "gone"
    return "unknown" if state in ("T", "t") else "running"


def _is_hidden(pid: int) -> bool:
    """Tell whether a process exists although its facts are kept from us (another user's)."""
    if pid <= 0:  # which would be a group of processes
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    return platform.node()


def _machine() -> str:
    """Return what tells boots of a machine and its containers (whose pids differ) apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return f"{uuid.getnode():x}"


def _process(pid: int) -> tuple[str, str]:
    """Return when a process started, in a form that no clock change alters, and its state letter.

    On Linux, clock ticks since boot, from ``/proc``; elsewhere what psutil says. ("", "X"): none.
    """
    try:
        if os.path.exists("/proc/self/stat"):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return fields[19], fields[0]
        process = psutil.Process(pid)
        state = {"stopped": "T", "zombie": "Z"}.get(process.status(), "R")
        return str(process.create_time()), state
    except (OSError, psutil.NoSuchProcess):
        return "", "X"
