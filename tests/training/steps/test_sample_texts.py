"""Texts of a stored model: one for each prompt, the same each time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from sentencepiece import SentencePieceProcessor
from step_inputs import FilePart, small_tokenizer

from data_contracts.errors import UsageError
from data_contracts.models import CURVE, SAMPLES
from data_contracts.tokenizer import TOKENIZERS
from store.identity import digest_bytes
from store.step import Inputs
from training.model import new_model
from training.model_config import ModelConfig
from training.model_folder import write_tensors
from training.sample import Sampling, generate
from training.steps.sample_texts import STEP, SampleConfig, sample_texts

PROMPTS = ("the wheel", "", "  naïve ▁ 😀\n")


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    return small_tokenizer(["the water turns the wheel of the mill"], 290)


@pytest.fixture
def inputs(tokenizer: bytes, tmp_path: Path) -> Inputs:
    return inputs_of(tokenizer, tmp_path, digest_bytes(tokenizer))


def shape_of(tokenizer: bytes) -> ModelConfig:
    vocab_size = SentencePieceProcessor(model_proto=tokenizer).vocab_size()
    return ModelConfig(vocab_size, 2, 32, 4, 2, 48, 24)


def inputs_of(tokenizer: bytes, folder: Path, digest: str) -> Inputs:
    shape = shape_of(tokenizer)
    settings = {"model": asdict(shape), "objective": "causal", "tokenizer_digest": digest}
    files = write_tensors(new_model(shape, 0).state_dict(), settings, folder)
    row = {"name": "tokenizer.model", "digest": digest_bytes(tokenizer), "data": tokenizer}
    parts = {
        "model": [FilePart(CURVE.empty_table(), files)],
        "tokenizer": [FilePart(pa.Table.from_pylist([row], TOKENIZERS))],
    }
    return Inputs("all", parts, scratch=folder)


def test_a_text_for_each_prompt_as_generate_writes_it(inputs: Inputs, tokenizer: bytes) -> None:
    told: list[str] = []
    inputs = Inputs("all", inputs.parts, scratch=inputs.scratch, tell=told.append)
    config = SampleConfig(PROMPTS, max_tokens=30, temperature=0.9, seed=4, num_threads=1)
    table = sample_texts(inputs, config).rows
    assert isinstance(table, pa.Table)
    assert table.schema == SAMPLES
    model = new_model(shape_of(tokenizer), 0)
    processor = SentencePieceProcessor(model_proto=tokenizer)
    sampling = Sampling(30, 0.9, 50, 4)
    assert table.to_pylist() == [
        {
            "prompt": prompt,
            "text": generate(model, processor, prompt, sampling),
            "temperature": 0.9,
            "seed": 4,
        }
        for prompt in PROMPTS
    ]
    assert all(row["text"].startswith(row["prompt"]) for row in table.to_pylist())
    assert told == ["text 1 of 3", "text 2 of 3", "text 3 of 3"]


def test_a_text_depends_on_its_prompt_and_seed_alone(inputs: Inputs) -> None:
    threads = torch.get_num_threads()
    texts = [
        sample_texts(inputs, SampleConfig(prompts, 20, seed=seed)).rows["text"].to_pylist()
        for prompts, seed in ((PROMPTS, 0), (PROMPTS[:1], 0), (PROMPTS[:1], 1))
    ]
    assert texts[0][:1] == texts[1] != texts[2]
    assert torch.get_num_threads() == threads


def test_no_prompts_give_no_texts(inputs: Inputs) -> None:
    assert sample_texts(inputs, SampleConfig()).rows.num_rows == 0


def test_a_model_of_another_tokenizer_is_refused(tokenizer: bytes, tmp_path: Path) -> None:
    inputs = inputs_of(tokenizer, tmp_path, "bb22" * 10)
    mine = digest_bytes(tokenizer)[:12]
    with pytest.raises(UsageError, match=f"with tokenizer bb22bb22bb22, not {mine};"):
        sample_texts(inputs, SampleConfig(PROMPTS))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_tokens": 0}, "must be at least"),
        ({"temperature": -0.1}, "must be at least"),
        ({"seed": -1}, "seed is -1"),
        ({"num_threads": -1}, "num_threads is -1"),
        ({"prompts": ("fine", "half \ud83d")}, "is not valid Unicode"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SampleConfig(**wrong)


def test_the_step_names_what_changes_its_rows() -> None:
    assert set(STEP.libraries) == {"sentencepiece", "torch"}
