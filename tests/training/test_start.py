"""Training that begins with a trained model: its weights, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_contracts.errors import UsageError
from data_contracts.models import DESCRIPTION, WEIGHTS
from data_contracts.shards import ShardSet
from training.checkpoint import load_trained
from training.config import PretrainConfig
from training.model_folder import write_model
from training.pretrain import PretrainResult, pretrain
from training.start import model_digest, with_start

CONFIG = PretrainConfig(
    depth=1,
    context_tokens=16,
    batch_rows=4,
    micro_batch_rows=4,
    num_steps=3,
    warm_up_steps=0,
    dtype="float32",
    checkpoint_every_steps=1,
)


def run(config: PretrainConfig, shards: ShardSet, folder: Path) -> PretrainResult:
    return pretrain(config, shards, folder, lambda progress: None)


@pytest.fixture
def model(random_shards: ShardSet, tmp_path: Path) -> Path:
    """Return the folder of a trained model."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_model(run(CONFIG, random_shards, tmp_path / "first").checkpoint, folder)
    return folder


def going_on(model: Path, **other: object) -> PretrainConfig:
    return dataclasses.replace(CONFIG, init_from=str(model), **other)


def test_it_begins_with_the_weights_and_not_with_drawn_ones(
    model: Path, random_shards: ShardSet, tmp_path: Path
) -> None:
    still = {"num_steps": 1, "peak_learning_rate": 1e-12}
    after = load_trained(run(going_on(model, **still), random_shards, tmp_path / "on").checkpoint)
    drawn = load_trained(
        run(dataclasses.replace(CONFIG, **still), random_shards, tmp_path / "drawn").checkpoint
    )
    differed = 0
    for name, given in load_file(model / WEIGHTS).items():
        torch.testing.assert_close(after.state_dict()[name], given)
        differed += not torch.allclose(drawn.state_dict()[name], given)
    assert differed > 0


def test_it_goes_on_from_its_own_checkpoint_not_from_the_beginning(
    model: Path, random_shards: ShardSet, tmp_path: Path
) -> None:
    straight = run(going_on(model), random_shards, tmp_path / "straight")
    stopped = tmp_path / "stopped"

    def stop(progress: object) -> None:
        if (stopped / "checkpoints" / "step-00000002").is_dir():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(going_on(model), random_shards, stopped, stop)
    resumed = run(going_on(model), random_shards, stopped)
    assert resumed.resumed_from_step > 0
    ours, theirs = (load_trained(r.checkpoint).state_dict() for r in (resumed, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_which_model_it_was_counts_and_where_it_lay_does_not(
    model: Path, random_shards: ShardSet, tmp_path: Path
) -> None:
    out = tmp_path / "on"
    run(going_on(model), random_shards, out)
    moved = model.rename(tmp_path / "moved")
    assert run(going_on(moved), random_shards, out).resumed_from_step == 3
    with pytest.raises(UsageError, match="was trained with init_digest = "):
        run(CONFIG, random_shards, out)
    planned = with_start(going_on(moved))
    assert planned.init_digest == model_digest(moved) != ""
    with (moved / DESCRIPTION).open("a") as file:
        file.write(" ")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        run(planned, random_shards, tmp_path / "other")


def test_a_model_that_does_not_fit_is_refused(
    model: Path,
    make_shards: Callable[..., ShardSet],
    random_shards: ShardSet,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"of another shape: num_layers 1, not 2.*depth"):
        run(going_on(model, depth=2), random_shards, out)
    with pytest.raises(UsageError, match="another shape: context_tokens 16, not 8"):
        run(going_on(model, context_tokens=8), random_shards, out)
    other = make_shards([[[3, 4, 5] * 40]], folder="other", tokenizer="tokenizer-b")
    with pytest.raises(UsageError, match="was trained with tokenizer"):
        run(going_on(model), other, out)
    with pytest.raises(UsageError, match=r"where model\.json cannot be read"):
        run(going_on(tmp_path / "nowhere"), random_shards, out)
    assert not out.exists()
