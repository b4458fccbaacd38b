"""Who types here: what is written beside a decision of a person."""

from __future__ import annotations

import getpass
import os
import platform


def person() -> str:
    """Return user and host; the user's number where it has no name, as in a container."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{platform.node()}"
