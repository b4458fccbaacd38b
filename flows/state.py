"""Where a person's own state lies on this machine: what belongs to no home."""

import os
from pathlib import Path


def state_folder() -> Path:
    """Return ``$MILLRACE_STATE_DIR``, or ``~/.millrace``; nothing is created."""
    return Path(os.environ.get("MILLRACE_STATE_DIR") or "~/.millrace").expanduser().absolute()
