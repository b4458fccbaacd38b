"""A new home's Prefect database, copied from the first one that Prefect made on this machine.

Prefect builds a new database by going through a hundred migrations, which takes longer than all
else at a server's first start. The template holds what such a start left, before anything ran; the
server still checks at every start that its database is at the newest migration.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

DATABASE = "prefect.db"
MEMO = "memo_store.toml"  # Prefect's note of which block types it registered


def seed_database(folder: Path, template: Path) -> bool:
    """Copy the template into a server's folder that has no database yet.

    Returns whether the server will make a database of its own, fit to become the template.
    """
    database = folder / DATABASE
    if database.exists():
        return False
    partial = folder / f"{DATABASE}.partial"
    try:
        shutil.copyfile(template / MEMO, folder / MEMO)
        shutil.copyfile(template / DATABASE, partial)
    except OSError:
        partial.unlink(missing_ok=True)
        return True
    partial.replace(database)
    return False


def keep_as_template(folder: Path, template: Path) -> None:
    """Keep a copy of a database that was just made; what cannot be kept is done without."""
    with contextlib.suppress(OSError, sqlite3.Error):
        template.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as made:
            copy = Path(made) / "copy"
            copy.mkdir(mode=0o700)
            shutil.copyfile(folder / MEMO, copy / MEMO)
            with (
                contextlib.closing(sqlite3.connect(folder / DATABASE)) as source,
                contextlib.closing(sqlite3.connect(copy / DATABASE)) as target,
            ):
                source.backup(target)
            os.rename(copy, template)
