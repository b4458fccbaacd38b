"""A model at rest: the same bytes for the same model, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from data_contracts.errors import Damaged, NotFound, UsageError
from data_contracts.models import DESCRIPTION, WEIGHTS
from training.checkpoint import save_checkpoint
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.model_folder import load_model, read_description, write_model, write_tensors

CONFIG = ModelConfig(50, 2, 32, 4, 2, 48, 64)
SETTINGS = {
    "model": asdict(CONFIG),
    "objective": "causal",
    "tokenizer_digest": "aa11" * 10,
    "seed": 3,
}


@pytest.fixture
def model() -> Transformer:
    return new_model(CONFIG, 3)


@pytest.fixture
def files(model: Transformer, tmp_path: Path) -> dict[str, Path]:
    return write_tensors(model.state_dict(), SETTINGS, tmp_path)


def load(files: dict[str, Path], tokenizer_digest: str | None = None) -> Transformer:
    return load_model(files[WEIGHTS], files[DESCRIPTION], tokenizer_digest)


def test_what_is_written_is_read_and_computes_the_same(
    model: Transformer, files: dict[str, Path]
) -> None:
    generator = torch.get_rng_state()
    found = load(files, "aa11" * 10)
    assert torch.equal(torch.get_rng_state(), generator)
    tokens = torch.arange(40)[None]
    with torch.no_grad():
        assert torch.equal(found(tokens), model(tokens))
    assert found.config == CONFIG
    assert all(parameter.requires_grad for parameter in found.parameters())
    description = read_description(files[DESCRIPTION])
    assert description.model == CONFIG
    assert (description.objective, description.settings) == ("causal", SETTINGS)


def test_a_description_from_before_there_were_shapes_is_of_a_tied_llama(
    files: dict[str, Path],
) -> None:
    value = json.loads(files[DESCRIPTION].read_text())
    old = ("vocab_size", "num_layers", "width", "num_heads", "num_kv_heads", "feed_forward_width")
    old += ("context_tokens", "rope_base", "norm_epsilon")
    value["model"] = {name: value["model"][name] for name in old}
    files[DESCRIPTION].write_text(json.dumps(value))
    assert load(files).config == CONFIG
    assert (CONFIG.shape, CONFIG.tied_head) == ("llama", True)


def test_a_loaded_model_can_be_changed_without_touching_its_file(files: dict[str, Path]) -> None:
    before = files[WEIGHTS].read_bytes()
    found = load(files)
    with torch.no_grad():
        found.embedding.weight.zero_()
    assert files[WEIGHTS].read_bytes() == before


def test_a_checkpoint_is_written_as_its_weights_and_settings_are(
    model: Transformer, files: dict[str, Path], tmp_path: Path
) -> None:
    optimizer = torch.optim.AdamW(model.parameters())
    checkpoint = save_checkpoint(tmp_path / "run", 5, model, optimizer, SETTINGS, 1)
    (tmp_path / "model").mkdir()
    again = write_model(checkpoint, tmp_path / "model")
    assert list(again) == [WEIGHTS, DESCRIPTION]
    for name in again:
        assert again[name].read_bytes() == files[name].read_bytes()
    with pytest.raises(NotFound):
        write_model(tmp_path / "none", tmp_path)


def test_bytes_do_not_depend_on_the_order_in_which_things_are_given(
    model: Transformer, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    tensors = dict(reversed(model.state_dict().items()))
    again = write_tensors(tensors, dict(reversed(SETTINGS.items())), tmp_path / "other")
    assert [again[name].read_bytes() for name in files] == [f.read_bytes() for f in files.values()]


def test_another_tokenizer_is_refused_by_name(files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="with tokenizer aa11aa11aa11, not bb22bb22bb22;"):
        load(files, "bb22" * 10)


Change = Callable[[dict[str, Any]], Any]

DESCRIPTIONS: dict[str, Change] = {
    "no model": lambda value: value.pop("model"),
    "no objective": lambda value: value.pop("objective"),
    "no tokenizer": lambda value: value.pop("tokenizer_digest"),
    "tokenizer is a number": lambda value: value.update(tokenizer_digest=1),
    "an unknown field": lambda value: value["model"].update(colour=1),
    "a field is missing": lambda value: value["model"].pop("width"),
    "half a layer": lambda value: value["model"].update(num_layers=1.5),
    "a text for a number": lambda value: value["model"].update(norm_epsilon="small"),
    "an impossible shape": lambda value: value["model"].update(num_heads=3),
    "an unknown shape": lambda value: value["model"].update(shape="rnn"),
    "a number for yes or no": lambda value: value["model"].update(tied_head=1),
    "a list": lambda value: value.update(model=[1, 2]),
}


@pytest.mark.parametrize("change", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_what_describes_no_model_is_damaged(change: Change, files: dict[str, Path]) -> None:
    value = json.loads(files[DESCRIPTION].read_text())
    change(value)
    files[DESCRIPTION].write_text(json.dumps(value))
    with pytest.raises(Damaged, match="describes no model"):
        load(files)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 5000, b"null"])
def test_what_is_no_description_at_all_is_damaged(body: bytes, files: dict[str, Path]) -> None:
    files[DESCRIPTION].write_bytes(body)
    with pytest.raises(Damaged, match=r"model\.json describes no model"):
        read_description(files[DESCRIPTION])


WEIGHT_CHANGES: dict[str, Change] = {
    "one is missing": lambda tensors: tensors.pop("norm.weight"),
    "one too many": lambda tensors: tensors.update(more=torch.zeros(1)),
    "another shape": lambda tensors: tensors.update({"norm.weight": torch.ones(31)}),
    "other numbers": lambda tensors: tensors.update({"norm.weight": torch.ones(32).half()}),
}


@pytest.mark.parametrize("change", WEIGHT_CHANGES.values(), ids=WEIGHT_CHANGES)
def test_weights_of_another_model_are_damaged_and_never_written(
    change: Change, model: Transformer, files: dict[str, Path], tmp_path: Path
) -> None:
    tensors = dict(load_file(files[WEIGHTS]))
    change(tensors)
    save_file(tensors, files[WEIGHTS])
    with pytest.raises(Damaged, match="is not of the model described"):
        load(files)
    with pytest.raises(ValueError, match="of another model than the settings"):
        write_tensors(tensors, SETTINGS, tmp_path)


def test_a_description_of_a_giant_is_refused_before_it_is_built(files: dict[str, Path]) -> None:
    value = json.loads(files[DESCRIPTION].read_text())
    value["model"]["num_layers"] = 10**12
    files[DESCRIPTION].write_text(json.dumps(value))
    with pytest.raises(Damaged, match="too few for 1000000000000 layers"):
        load(files)


def test_cut_weights_are_damaged(files: dict[str, Path]) -> None:
    files[WEIGHTS].write_bytes(files[WEIGHTS].read_bytes()[:-4])
    with pytest.raises(Damaged, match="cannot be read"):
        load(files)
    files[WEIGHTS].unlink()
    with pytest.raises(Damaged, match="cannot be read"):
        load(files)


@pytest.mark.parametrize("missing", ["model", "objective", "tokenizer_digest"])
def test_settings_that_describe_no_model_are_not_written(
    missing: str, model: Transformer, tmp_path: Path
) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != missing}
    with pytest.raises(ValueError, match="describe no model"):
        write_tensors(model.state_dict(), settings, tmp_path)
    assert list(tmp_path.iterdir()) == []
