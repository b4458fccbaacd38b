"""Pre-training in several processes of this machine, started with ``torchrun`` and listened to.

The processes run `training.run`; the first one tells on its standard output, a line of JSON each:
progress after every step, then the result, or the error that all of them met. They end when this
process does, however it ends: each watches its standard input, which only we hold open.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from data_contracts import errors
from data_contracts.errors import MillraceError
from training.config import PretrainConfig
from training.guard import Incident
from training.job import Job
from training.loop import METRICS, NotFinite, OnProgress
from training.metrics import Progress, read_metrics
from training.precision import Precision
from training.pretrain import PretrainResult
from training.seen import NOTHING_SEEN, Seen

LOG = "processes.log"
_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_SECONDS = 40.0  # torchrun gives its processes 30 to end


class ProcessesFailed(MillraceError):
    """A training process ended before its time; what it had saved is whole."""


def pretrain_in_processes(
    job: Job, out_folder: Path, progress: OnProgress, seen: Seen = NOTHING_SEEN
) -> PretrainResult:
    """Do what `training.pretrain.pretrain` does, in as many processes as the job's config says.

    Raises what that raises; ProcessesFailed, with the end of their log, if one of them dies.
    """
    config = job.config
    out_folder.mkdir(parents=True, exist_ok=True)
    seen.write(out_folder)
    path, log = job.write(out_folder), out_folder / LOG
    result: PretrainResult | None = None
    with log.open("w") as log_file, started(config, path, log_file) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = read_line(line)
            if "error" in told:
                raise error_of(told["error"])
            if "progress" in told:
                progress(Progress(**told["progress"]))
            if "result" in told:
                result = result_of(told["result"], out_folder)
        code = process.wait()
    if result is None or code:
        raise ProcessesFailed(
            f"one of {config.num_processes} training processes ended with code {code}; run again "
            f"to go on from the newest checkpoint. The end of {log}: {last_lines(log)}"
        )
    return result


@contextlib.contextmanager
def started(config: PretrainConfig, job: Path, log: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the processes; however the block is left, they have ended after it."""
    count = config.num_processes
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    threads = config.num_threads or max(1, (os.cpu_count() or 1) // count)
    python_path = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, *torchrun, "-m", "training.run", str(job.resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(python_path),
        },
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_line(line: str) -> Mapping[str, Any]:
    """Return what a line tells; what a library printed tells nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def error_of(told: Sequence[str]) -> MillraceError:
    """Return the error of a kind and a message, as the processes raised it."""
    kind, message = told
    known = NotFinite if kind == NotFinite.__name__ else getattr(errors, kind, MillraceError)
    return known(message)


def plain_result(result: PretrainResult) -> dict[str, Any]:
    """Return a result as JSON values, without its curve, which stands in the metrics file."""
    return {
        **asdict(replace(result, curve=())),
        "checkpoint": str(result.checkpoint),
    }


def result_of(plain: Mapping[str, Any], out_folder: Path) -> PretrainResult:
    """Return the result that `plain_result` made plain."""
    incidents = (
        Incident(**{**incident, "row_ids": tuple(incident["row_ids"])})
        for incident in plain["incidents"]
    )
    made = {
        "checkpoint": Path(plain["checkpoint"]),
        "precision": Precision(**plain["precision"]),
        "damaged_checkpoints": tuple(plain["damaged_checkpoints"]),
        "incidents": tuple(incidents),
        "curve": tuple(read_metrics(out_folder / METRICS)),
    }
    return PretrainResult(**{**plain, **made})


def last_lines(path: Path, count: int = 12) -> str:
    """Return the end of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
