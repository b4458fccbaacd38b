"""One of several training processes: ``torchrun … -m training.run JOB``, see `training.ddp`."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_contracts.errors import MillraceError
from training.ddp import plain_result
from training.job import Job, read_job
from training.pretrain import pretrain
from training.ranks import Ranks, join_ranks, leave_ranks
from training.seen import read_seen


def main(job: Path) -> int:
    """Take part in a job; return the exit status."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    asked = read_job(job)
    ranks = join_ranks(asked.config.device)
    try:
        tell(ranks, {"result": take_part(asked, job.parent, ranks)})
    except MillraceError as error:
        tell(ranks, {"error": [type(error).__name__, str(error)]})
        return 1
    finally:
        leave_ranks()
    return 0


def take_part(job: Job, folder: Path, ranks: Ranks) -> dict[str, Any]:
    """Train with the others; return the result as JSON values."""
    result = pretrain(
        job.config,
        job.train.open(),
        folder,
        lambda progress: tell(ranks, {"progress": asdict(progress)}),
        job.heldout.open() if job.heldout else None,
        job.pieces,
        job.labels,
        ranks=ranks,
        seen=read_seen(folder),
    )
    return plain_result(result)


def tell(ranks: Ranks, what: Mapping[str, Any]) -> None:
    """Write a line for the process that started us, if we are the first."""
    if ranks.is_first:
        print(json.dumps(what), flush=True)


def end_with_parent() -> None:
    """End this process when the one that started it has: its end of our standard input closes."""
    while os.read(sys.stdin.fileno(), 1 << 10):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
