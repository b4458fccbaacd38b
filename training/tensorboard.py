"""A run's curves as TensorBoard shows them, where ``tensorboard`` is installed.

Beside the metrics file, which is the record; nothing reads these files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_contracts.errors import UsageError
from training.metrics import Progress

SHOWN = (
    "loss",
    "bits_per_byte",
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
    "mfu",
    "memory_bytes",
    "waiting_ratio",
)


class Events:
    """Writes each progress into a folder of TensorBoard's; a run gone on with replaces its tail.

    Raises UsageError if tensorboard is not installed.
    """

    def __init__(self, folder: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                "tensorboard_folder is set, but tensorboard is not installed; `pip install "
                "'millrace[tensorboard]'`, or leave the setting out"
            ) from error
        self._new: Any = SummaryWriter
        self._folder = folder
        self._writer: Any = None
        self._last_step = 0

    def add(self, progress: Progress) -> None:
        """Write what is known after a step, scores and sample among it."""
        if self._writer is None or progress.step <= self._last_step:
            self.close()
            self._writer = self._new(str(self._folder), purge_step=progress.step)
        self._last_step = progress.step
        values = {name: getattr(progress, name) for name in SHOWN} | dict(progress.scores)
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, progress.step)
        if progress.sample is not None:
            self._writer.add_text("sample", progress.sample, progress.step)

    def close(self) -> None:
        """Write what is not yet on the disk."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
