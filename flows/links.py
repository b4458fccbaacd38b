"""``runs/<run>/curated/``, ``model/``, ``taught-model/``: what a run made, for people to open.

Local homes only: a bucket has no links, and `catalog.open_run` reads the same partitions there.
``runs/<run>/retired.parquet`` lists what the last run to publish had and this one has not.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from catalog.opened import CURATED, OpenedRun
from catalog.retirements import retirements
from data_contracts.errors import Damaged
from data_contracts.models import DESCRIPTION, WEIGHTS
from store.datasets import read_dataset
from store.runs import Run
from store.storage import Storage

MODELS = {"pretrain": "model", "instruct": "taught-model"}  # folders by the step that made one


def link_results(storage: Storage, run: Run, before: Run | None) -> None:
    """Link the run's curated Parquet and its models, as far as it made them, into its folder.

    ``before`` is the run whose curated documents this one's take the place of.
    """
    link_curated(storage, run)
    for step, name in MODELS.items():
        link_model(storage, run, step, name)
    write_retired(storage, run, before)


def write_retired(storage: Storage, run: Run, before: Run | None) -> int:
    """List what the run before had curated and this one has not; return how many.

    Nothing is written where there is no run before, or nothing to tell, or where what that run
    curated is no longer whole.
    """
    curated, old = (_dataset(one, CURATED) if one else None for one in (run, before))
    if before is None or old is None or curated in (None, old):
        return 0
    try:
        rows = retirements(OpenedRun(storage, before), OpenedRun(storage, run))
    except Damaged:
        return 0
    if len(rows):
        sink = io.BytesIO()
        pq.write_table(rows, sink, compression="zstd")
        storage.replace(f"runs/{run.name}/retired.parquet", sink.getvalue())
    return len(rows)


def link_curated(storage: Storage, run: Run) -> Path | None:
    """Hard-link the run's curated partitions into its folder, in order; return the folder."""
    dataset = _dataset(run, CURATED)
    folder = _fresh_folder(storage, run, "curated", dataset)
    if folder is None or dataset is None:
        return None
    parts = read_dataset(storage, CURATED, dataset).parts
    for number, part in enumerate(parts):
        source = storage.local_path(part.data_name())
        assert source is not None
        _link(source, folder / f"{number:05d}-{_file_name(part.key)}.parquet")
    return folder


def link_model(storage: Storage, run: Run, step: str, name: str) -> Path | None:
    """Hard-link a step's weights and their description, and write the tokenizer beside them."""
    folder = _fresh_folder(storage, run, name, _dataset(run, step))
    if folder is None:
        return None
    opened = OpenedRun(storage, run)
    for file in (WEIGHTS, DESCRIPTION):
        _link(opened.part(step).file(file, folder), folder / file)
    (tokenizer,) = opened.table("train_tokenizer", ["name", "data"]).to_pylist()
    (folder / _file_name(tokenizer["name"])).write_bytes(tokenizer["data"])
    return folder


def _dataset(run: Run, step: str) -> str | None:
    record = run.step(step)
    return record.dataset if record else None


def _fresh_folder(storage: Storage, run: Run, name: str, dataset: str | None) -> Path | None:
    """Return an empty folder of a run; None in a bucket, or if there is nothing to put there.

    What an earlier run of that name left there goes in any case.
    """
    folder = storage.local_path(f"runs/{run.name}/{name}")
    if folder is None:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    if dataset is None:
        return None
    folder.mkdir(parents=True)
    return folder


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it where links fail."""
    try:
        os.link(source, target)
    except OSError:
        with contextlib.suppress(FileExistsError):
            shutil.copyfile(source, target)


def _file_name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
