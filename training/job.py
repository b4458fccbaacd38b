"""What several training processes are given: a folder's ``job.json`` and the arrays beside it.

Stands between `training.ddp`, which writes a job, and `training.run`, which each process is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_contracts.open_shards import open_shards
from data_contracts.shards import ShardSet
from training.config import PretrainConfig, config_of
from training.document_labels import DocumentLabels
from training.masking import Pieces

JOB, PIECES, LABELS = "job.json", "pieces.npz", "labels.npz"


@dataclass(frozen=True)
class Places:
    """Where token shards lie: their folders, and the names of those to read (None: all)."""

    folders: tuple[Path, ...]
    names: tuple[str, ...] | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"folders": [str(folder.resolve()) for folder in self.folders], "names": self.names}

    def open(self) -> ShardSet:
        """Open the shards."""
        return open_shards(list(self.folders), self.names)


@dataclass(frozen=True)
class Job:
    """What `training.pretrain.pretrain` is given, but that shards are told by their places."""

    config: PretrainConfig
    train: Places
    heldout: Places | None = None
    pieces: Pieces | None = None
    labels: DocumentLabels | None = None

    def write(self, folder: Path) -> Path:
        """Write it into a folder, in place of what another left there; return ``job.json``."""
        plain: dict[str, Any] = {"config": asdict(self.config), "train": self.train.plain()}
        plain["heldout"] = self.heldout.plain() if self.heldout else None
        plain["masked"], plain["labelled"] = self.pieces is not None, self.labels is not None
        if self.pieces is not None:
            kinds_V = np.zeros(0, np.uint8) if self.pieces.kinds_V is None else self.pieces.kinds_V
            special = np.array(self.pieces.special_ids, np.int64)
            np.savez(folder / PIECES, mask_id=self.pieces.mask_id, special=special, kinds=kinds_V)
        if self.labels is not None:
            plain["columns"] = self.labels.columns
            plain["class_names"] = self.labels.class_names
            train_NL, heldout_NL = self.labels.train_NL, self.labels.heldout_NL
            np.savez(folder / LABELS, train=train_NL, heldout=heldout_NL)
        path = folder / JOB
        path.write_text(json.dumps(plain))
        return path


def read_job(path: Path) -> Job:
    """Return what `Job.write` wrote."""
    plain = json.loads(path.read_bytes())
    heldout = plain["heldout"]
    return Job(
        config_of(plain["config"]),
        _places(plain["train"]),
        _places(heldout) if heldout else None,
        _pieces(path.with_name(PIECES)) if plain["masked"] else None,
        _labels(path.with_name(LABELS), plain) if plain["labelled"] else None,
    )


def _places(plain: Mapping[str, Any]) -> Places:
    names = plain["names"]
    return Places(tuple(map(Path, plain["folders"])), None if names is None else tuple(names))


def _pieces(path: Path) -> Pieces:
    with np.load(path) as arrays:
        kinds_V = arrays["kinds"]
        special = tuple(arrays["special"].tolist())
        return Pieces(int(arrays["mask_id"]), special, kinds_V if len(kinds_V) else None)


def _labels(path: Path, plain: Mapping[str, Any]) -> DocumentLabels:
    with np.load(path) as arrays:
        class_names = tuple(map(tuple, plain["class_names"]))
        return DocumentLabels(
            tuple(plain["columns"]), class_names, arrays["train"], arrays["heldout"]
        )
