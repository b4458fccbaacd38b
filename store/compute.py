"""Computing one partition: run the step's function, write what it gave, publish it with a receipt.

A `PartTask` is a plain picklable value, so that the same function runs in this thread, in another
process, or on a cluster whose workers see the same home.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from store.datasets import (
    ExtraFile,
    Receipt,
    Rows,
    StoredPart,
    content_digest,
    part_name,
    quarantine_name,
    read_receipt,
    write_receipt,
)
from store.errors import MillraceError, RowsUnaccounted, StepFailed
from store.home import first_line
from store.identity import digest_file, digest_table
from store.step import QUARANTINE, Inputs, Output, SourcePart, Step, Tell, ignore_line
from store.storage import Storage
from store.writer import Written, write_rows

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class PartTask:
    """Everything that computing one partition needs, wherever that happens."""

    storage: Storage
    step: Step
    config: Any
    key: str
    fingerprint: str
    made_from: dict[str, Any]
    code: dict[str, str]
    inputs: Mapping[str, tuple[StoredPart, ...]] = field(default_factory=dict)
    bucket: int | None = None
    source: SourcePart | None = None
    previous: StoredPart | None = None

    def input_bytes(self) -> int:
        """Bytes that the partition reads: files of a source, or stored partitions."""
        if self.source is not None:
            return sum(file.length or file.size_bytes for file in self.source.files)
        return sum(part.size_bytes for parts in self.inputs.values() for part in parts)


def compute_part(task: PartTask, publish: bool = True, tell: Tell = ignore_line) -> Receipt:
    """Compute a partition; publish its files and receipt, unless only its digest is wanted.

    ``tell`` hears what the step says of how far it is. Without ``publish`` nothing of an earlier
    attempt is used.

    Raises:
        StepFailed: if the step's function raises anything that is not a `MillraceError`.
        RowsUnaccounted: if more or fewer documents come out than went in.
    """
    started = time.perf_counter()
    with task.storage.scratch() as folder, _work(task, publish) as work:
        output, written = _run_step(task, folder, work, tell)
        with task.storage.explained("write", quarantine_name(task.step.name, task.fingerprint)):
            quarantined = _write_quarantine(output, folder / "quarantine.parquet")
        receipt = _receipt(task, output, written, folder, quarantined)
        receipt = replace(receipt, seconds=round(time.perf_counter() - started, 4))
        if publish:
            publish_part(task.storage, receipt, folder, output.files)
    return receipt


def publish_part(
    storage: Storage, receipt: Receipt, folder: Path, files: Mapping[str, Path]
) -> None:
    """Give a partition's files their final names, then write its receipt.

    Unless another run has, while this one was held up until its lease went: then the files are
    those of that run's receipt, and stay.
    """
    if read_receipt(storage, receipt.step, receipt.fingerprint) is not None:
        return
    if receipt.quarantine_digest is not None:
        storage.publish(receipt.quarantine_name(), folder / "quarantine.parquet")
    for name in receipt.files:
        storage.publish(receipt.extra_name(name), files[name])
    storage.publish(receipt.data_name(), folder / "rows.parquet")
    write_receipt(storage, receipt)


def _work(task: PartTask, publish: bool) -> AbstractContextManager[Path | None]:
    """Return the folder that survives a kill, for steps that can go on from one."""
    if not (task.step.resumable and publish):
        return nullcontext()
    return task.storage.work_folder(task.step.name, task.fingerprint)


def _run_step(
    task: PartTask, folder: Path, work: Path | None, tell: Tell
) -> tuple[Output, Written]:
    scratch = folder / "files"
    inputs = Inputs(
        task.key, task.inputs, task.bucket, task.source, scratch, work, task.previous, tell
    )
    try:
        scratch.mkdir()
        output = _check_names(task.step.run(inputs, task.config))
        path, schema = folder / "rows.parquet", task.step.rows_schema(task.config)
        return output, write_rows(output.rows, schema, path, output.slice_by)
    except (MillraceError, MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            with task.storage.explained("write", part_name(task.step.name, task.fingerprint, "")):
                raise
        raise StepFailed(
            f"{task.step.name} failed on partition {task.key!r} "
            f"({type(error).__name__}: {first_line(error)}); nothing of it was kept. "
            f"Mend the cause and run again."
        ) from error


def _write_quarantine(output: Output, path: Path) -> str | None:
    if not output.quarantined:
        return None
    table = pa.Table.from_pylist(output.quarantined, schema=QUARANTINE)
    write_rows(table, QUARANTINE, path, None)
    return digest_table(table)


def _receipt(
    task: PartTask, output: Output, written: Written, folder: Path, quarantined: str | None
) -> Receipt:
    path = folder / "rows.parquet"
    files = {
        name: ExtraFile(file.stat().st_size, digest_file(file))
        for name, file in sorted(output.files.items())
    }
    return Receipt(
        step=task.step.name,
        key=task.key,
        fingerprint=task.fingerprint,
        digest=content_digest(written.digest, files),
        made_from=task.made_from,
        code=task.code,
        num_rows=written.num_rows,
        num_kept=written.num_kept,
        size_bytes=path.stat().st_size + sum(file.size_bytes for file in files.values()),
        file_digest=digest_file(path),
        input_bytes=task.input_bytes(),
        rows=_account(task, output, written),
        reasons=written.reasons,
        slices=written.slices,
        files=files,
        quarantine_digest=quarantined,
        quarantine_file_digest=quarantined and digest_file(folder / "quarantine.parquet"),
        facts=output.facts,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _check_names(output: Output) -> Output:
    for name in output.files:
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a plain file name for a partition's file")
    return output


def _account(task: PartTask, output: Output, written: Written) -> Rows:
    """Account for the documents that came in, as this step counts them.

    This is bookkeeping; the proof is made from the written files (`catalog.conservation`).
    """
    quarantined = len(output.quarantined)
    if task.step.accounts_for is None:
        facts = output.facts
        num_in = int(facts.get("records_framed", 0)) - int(facts.get("records_skipped", 0))
    else:
        num_in = sum(part.num_kept for part in task.inputs[task.step.accounts_for])
    kept, dropped = written.num_kept, written.num_rows - written.num_kept
    if task.step.emits != "documents":
        kept, dropped = num_in - quarantined, 0
    rows = Rows(num_in, kept, dropped, quarantined)
    if num_in != kept + dropped + quarantined:
        raise RowsUnaccounted(
            f"{task.step.name} took in {num_in} documents on partition {task.key!r} and gave back "
            f"{kept} kept, {dropped} dropped and {quarantined} quarantined; the partition was not "
            f"published. The step's code loses or repeats rows: mend it and run again."
        )
    return rows
