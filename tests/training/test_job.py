"""A job for several processes: what is written is read, for each objective."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from objective_inputs import inputs_of

from data_contracts.shards import ShardSet
from training.config import PretrainConfig
from training.job import Job, Places, read_job

CONFIG = PretrainConfig(depth=1, context_tokens=16, batch_rows=4, num_processes=2)
CONFIGS = {
    "causal": CONFIG,
    "masked": dataclasses.replace(CONFIG, objective="masked"),
    "whole words": dataclasses.replace(CONFIG, objective="masked", whole_words=True),
    "supervised": dataclasses.replace(CONFIG, objective="supervised", label_columns=("a", "b")),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_written_is_read(random_shards: ShardSet, tmp_path: Path, name: str) -> None:
    config, places = CONFIGS[name], Places((tmp_path / "shards",))
    pieces, labels = inputs_of(config, random_shards)
    found = read_job(Job(config, places, places, pieces, labels).write(tmp_path))
    assert found.config == config
    assert found.heldout == found.train
    assert found.train.open().num_tokens == random_shards.num_tokens
    assert (found.pieces is None, found.labels is None) == (pieces is None, labels is None)
    if pieces is not None:
        assert found.pieces is not None
        assert found.pieces.fingerprint() == pieces.fingerprint()
    if labels is not None:
        assert found.labels is not None
        assert found.labels.fingerprint() == labels.fingerprint()
        assert np.array_equal(found.labels.heldout_NL, labels.heldout_NL)


def test_without_held_out_text_there_is_none(tmp_path: Path) -> None:
    job = Job(CONFIG, Places((tmp_path,), ("train",)))
    found = read_job(job.write(tmp_path))
    assert found.heldout is None
    assert found.train == job.train
