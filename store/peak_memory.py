"""The most memory that a process has used, as its own and not as its parent's."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the most resident memory of this process so far, in bytes.

    Linux keeps in ``ru_maxrss``, over ``exec``, what the process that forked this one used by then:
    a program that a large process starts would begin at that. The kernel's high-water mark of the
    program itself (``VmHWM``, proc(5)) is read where there is one.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
