"""Where the state of Prefect servers and of a person lies on this machine."""

import hashlib
import os
from pathlib import Path

from data_contracts.errors import UsageError


def state_folder() -> Path:
    """Return ``$MILLRACE_STATE_DIR``, or ``~/.millrace``, which is of no home; none is made."""
    return Path(os.environ.get("MILLRACE_STATE_DIR") or "~/.millrace").expanduser().absolute()


def servers_folder() -> Path:
    """Return where the servers of buckets lie, and the databases that new ones begin with."""
    return state_folder() / "servers"


def server_folder(home: str) -> Path:
    """Return the folder of a home's server (its PREFECT_HOME); nothing is created.

    It is ``<home>/prefect`` for a local home. A bucket cannot hold a SQLite database, so the
    server of such a home lies with the person: ``~/.millrace/servers/<hash of the URL>``
    (MILLRACE_STATE_DIR takes the place of ``~/.millrace``).

    Raises:
        UsageError: for an empty name, which is no place (it would mean the working folder).
    """
    path = home.removeprefix("file://").removeprefix("local://")
    if not path.strip():
        raise UsageError("The home has an empty name; name a folder or a bucket with --home.")
    if "://" not in path:
        return Path(os.path.abspath(os.path.expanduser(path))) / "prefect"
    return servers_folder() / hashlib.sha256(path.rstrip("/").encode()).hexdigest()[:16]
