"""``runs/<run>/curated/``: a run's curated Parquet under names that people can glob."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from store.datasets import read_dataset
from store.runs import Run
from store.storage import Storage


def link_curated(storage: Storage, run: Run) -> Path | None:
    """Hard-link the run's curated partitions into its folder, in order; copy where links fail.

    Returns the folder, or ``None`` in a bucket (which has no links; `catalog.open_run` reads the
    same partitions there) or if the run has no curated dataset.
    """
    record = run.step("materialize")
    folder = storage.local_path(f"runs/{run.name}/curated")
    if folder is None or record is None or record.dataset is None:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parts = read_dataset(storage, "materialize", record.dataset).parts
    for number, part in enumerate(parts):
        source = storage.local_path(part.data_name())
        assert source is not None
        target = folder / f"{number:05d}-{_file_name(part.key)}.parquet"
        try:
            os.link(source, target)
        except OSError:
            with contextlib.suppress(FileExistsError):
                shutil.copyfile(source, target)
    return folder


def _file_name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
