"""Checkpoints: whole or not there, verified, the one before in place of a damaged one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from data_contracts.errors import Damaged, NotFound, UsageError
from training.checkpoint import (
    MODEL,
    OPTIMIZER,
    STATE,
    load_trained,
    load_weights,
    newest_checkpoint,
    read_checkpoint,
    resume,
    save_checkpoint,
    sealed,
)
from training.config import AdamWConfig
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.optim import new_adamw, optimizer_tensors

CONFIG = ModelConfig(40, 1, 16, 2, 1, 24, 16)
SETTINGS = {"model": vars(CONFIG), "tokenizer_digest": "tokenizer-a"}


def trained(seed: int) -> tuple[Transformer, torch.optim.Optimizer]:
    model = new_model(CONFIG, seed)
    optimizer = new_adamw(model, AdamWConfig(weight_decay=0.1))
    model(torch.arange(10)[None]).square().mean().backward()
    optimizer.step()
    return model, optimizer


def save(root: Path, *steps: int, keep_last: int = 3) -> list[Path]:
    return [save_checkpoint(root, step, *trained(step), SETTINGS, keep_last) for step in steps]


def test_everything_comes_back(tmp_path: Path) -> None:
    model, optimizer = trained(1)
    save_checkpoint(tmp_path, 12, model, optimizer, SETTINGS, 3)
    other, other_optimizer = trained(2)
    found = newest_checkpoint(tmp_path)
    assert found is not None
    resume(found, other, other_optimizer)
    assert (found.step, found.damaged) == (12, ())
    assert found.settings == SETTINGS
    assert all(map(torch.equal, model.parameters(), other.parameters()))
    ours, theirs = optimizer_tensors(model, optimizer), optimizer_tensors(other, other_optimizer)
    assert len(ours) == 3 * len(list(model.parameters()))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_only_the_last_few_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 9, 10, keep_last=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000009", "step-00000010"]


@pytest.mark.parametrize("name", [MODEL, STATE])
def test_damaged_ones_of_later_steps_are_not_among_the_last_few(tmp_path: Path, name: str) -> None:
    for folder in save(tmp_path, 3, 8, 9)[1:]:
        damage_flip(folder / name)
    (written,) = save(tmp_path, 6, keep_last=1)
    assert read_checkpoint(written).step == 6
    assert list(tmp_path.iterdir()) == [written]


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, Path.unlink])
@pytest.mark.parametrize("name", [MODEL, OPTIMIZER, STATE])
def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path: Path, name: str, damage) -> None:
    first, second = save(tmp_path, 3, 6)
    damage(second / name)
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert (found.folder, found.step) == (first, 3)
    (told,) = found.damaged
    assert str(second) in told
    assert "delete it" in told
    save(tmp_path, 6)  # written again over the damaged one
    again = newest_checkpoint(tmp_path)
    assert again is not None
    assert (again.step, again.damaged) == (6, ())


def test_if_none_is_whole_it_is_said(tmp_path: Path) -> None:
    for folder in save(tmp_path, 3, 6):
        damage_flip(folder / MODEL)
    with pytest.raises(Damaged, match=r"no checkpoint in .* is whole; delete it to start again"):
        newest_checkpoint(tmp_path)


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "nowhere") is None
    (tmp_path / ".partial-0123").mkdir()
    (tmp_path / "notes").mkdir()
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(NotFound, match="there is no checkpoint"):
        read_checkpoint(tmp_path / "step-00000001")
    save(tmp_path, 1)
    assert not (tmp_path / ".partial-0123").exists()


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"format": 3, "step": "x"}', "\xff"])
def test_a_state_that_is_no_state_is_damage(tmp_path: Path, content: str) -> None:
    (folder,) = save(tmp_path, 1)
    (folder / STATE).write_text(content, encoding="latin-1")
    with pytest.raises(Damaged, match="cannot be read"):
        read_checkpoint(folder)


def test_any_changed_byte_of_a_state_is_damage(tmp_path: Path) -> None:
    (folder,) = save(tmp_path, 1)
    written = (folder / STATE).read_bytes()
    assert len(written) > 500
    draw = random.Random(0)
    for place, byte in enumerate(written):
        for other in {byte ^ 1, draw.choice(b" \n0123456789")} - {byte}:
            changed = written[:place] + bytes([other]) + written[place + 1 :]
            (folder / STATE).write_bytes(changed)
            with pytest.raises(Damaged, match="cannot be read"):
                read_checkpoint(folder)
    (folder / STATE).write_bytes(written)
    assert read_checkpoint(folder).step == 1


def test_a_folder_named_after_another_step_is_damage(tmp_path: Path) -> None:
    (folder,) = save(tmp_path, 1)
    moved = folder.rename(tmp_path / "step-00000002")
    with pytest.raises(Damaged, match="step-00000002 is of step 1; delete it"):
        read_checkpoint(moved)


def test_another_format_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    (folder,) = save(tmp_path, 1)
    state = json.loads((folder / STATE).read_text())
    before = {name: value for name, value in state.items() if name != "digest"}
    (folder / STATE).write_text(json.dumps({**before, "format": 2}))
    with pytest.raises(UsageError, match="has format 2, this code reads 3; delete the folder"):
        newest_checkpoint(tmp_path)
    (folder / STATE).write_bytes(sealed({**before, "format": 4}))
    with pytest.raises(UsageError, match="has format 4, this code reads 3; delete the folder"):
        newest_checkpoint(tmp_path)


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    (folder,) = save(tmp_path, 1)
    other = new_model(ModelConfig(41, 1, 16, 2, 1, 24, 16), 0)
    with pytest.raises(UsageError, match=r"embedding.weight is torch.Size\(\[40, 16\]\) there and"):
        load_weights(read_checkpoint(folder), other)


def test_a_decoder_is_loaded_for_its_own_tokenizer_only(tmp_path: Path) -> None:
    (folder,) = save(tmp_path, 1)
    loaded = load_trained(folder, "tokenizer-a")
    assert all(map(torch.equal, loaded.parameters(), trained(1)[0].parameters()))
    with pytest.raises(UsageError, match="trained with tokenizer tokenizer-a, not other"):
        load_trained(folder, "other")


def test_a_checkpoint_whose_files_were_collected_is_none(tmp_path: Path) -> None:
    (tmp_path / "step-00000200").mkdir()
    assert newest_checkpoint(tmp_path) is None
