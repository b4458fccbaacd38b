"""Masked and supervised pre-training as steps: what they read and write, what uses their models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from step_inputs import FilePart, small_tokenizer

from data_contracts.documents import LABELS
from data_contracts.errors import Damaged, InputError, UsageError
from data_contracts.models import CURVE, DESCRIPTION, HEADS, HELDOUT_SCORES, WEIGHTS
from data_contracts.shard_index import file_names
from data_contracts.shards import TOKEN_DOCUMENTS
from data_contracts.tokenizer import TOKENIZERS, Tokenizer
from data_contracts.write_shards import write_index, write_shard
from store.identity import digest_bytes
from store.step import Inputs, Output
from training.config import PretrainConfig
from training.model_folder import load_model
from training.steps.model_parts import open_writer
from training.steps.pretrain import pretrain_step
from training.steps.pretrain_inputs import pieces_for
from training.steps.score_heldout import ScoreConfig
from training.steps.score_masked import STEP_MASKED, score_masked_step

SENTENCES = ["the water turns the wheel of the mill", "a miller grinds the corn to flour"]
NUM_TRAIN, NUM_HELDOUT = 40, 8
CONFIG = PretrainConfig(
    depth=1,
    context_tokens=32,
    batch_rows=4,
    micro_batch_rows=2,
    num_steps=6,
    warm_up_steps=2,
    dtype="float32",
    num_threads=1,
    log_every_steps=3,
)
MASKED = replace(CONFIG, objective="masked", mask_rate=0.3, whole_words=True)
LABELLED = replace(CONFIG, objective="supervised", label_columns=("package", "kind"))


def train(symbols: str) -> bytes:
    return small_tokenizer(SENTENCES, 310, symbols)


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    return train("<mask>")


def tokenizer_part(model: bytes) -> FilePart:
    row = {"name": "tokenizer.model", "digest": digest_bytes(model), "data": model}
    return FilePart(pa.Table.from_pylist([row], TOKENIZERS))


def labels_of(number: int) -> list[tuple[str, str]]:
    """Return the labels of a document: every fifth has none, every third no kind."""
    if number % 5 == 4:
        return []
    package = [("package", SENTENCES[number % 2][2:5])]
    return package if number % 3 == 0 else [*package, ("kind", f"kind-{number % 4}")]


def inputs_of(model: bytes, folder: Path, num_train: int = NUM_TRAIN) -> Inputs:
    """Return shards of numbered documents, the curated table in another order, the tokenizer."""
    tokenizer = Tokenizer(model)
    rows, entries, number = [], [], 0
    folder.mkdir(exist_ok=True)
    for split, count in (("train", num_train), ("heldout", NUM_HELDOUT)):
        texts = [SENTENCES[n % 2] for n in range(number, number + count)]
        ids = tokenizer.encode_documents(texts)
        sizes = [len(text) for text in texts]
        entries.append(write_shard(folder, split, ids, sizes, tokenizer.vocabulary.dtype))
        for n, (document, size) in enumerate(zip(ids, sizes, strict=True), number):
            row = {"doc_id": f"d{n:03d}", "split": split, "shard": split, "token_offset": 0}
            rows.append({**row, "num_tokens": len(document), "num_bytes": size})
        number += count
    write_index(folder, tokenizer.vocabulary, entries)
    files = {name: folder / name for name in file_names(["train", "heldout"])}
    curated = pa.table(
        {
            "doc_id": [f"d{n:03d}" for n in reversed(range(number))],
            "source": ["mill"] * number,
            "labels": pa.array([labels_of(n) for n in reversed(range(number))], LABELS),
        }
    )
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    parts = {
        "tokens": [FilePart(pa.Table.from_pylist(rows, TOKEN_DOCUMENTS), files)],
        "tokenizer": [tokenizer_part(model)],
        "curated": [FilePart(curated)],
    }
    return Inputs("all", parts, scratch=scratch)


def model_part(output: Output) -> FilePart:
    assert isinstance(output.rows, pa.Table)
    return FilePart(output.rows, output.files)


def test_a_masked_model_is_described_and_scored_on_hidden_tokens(
    tokenizer: bytes, tmp_path: Path
) -> None:
    inputs = inputs_of(tokenizer, tmp_path / "in")
    output = pretrain_step(inputs, MASKED)
    assert isinstance(output.rows, pa.Table)
    assert output.rows.schema == CURVE
    last = output.rows.to_pylist()[-1]
    assert last["bits_per_byte"] is last["heldout_bits_per_byte"] is None
    assert 0 <= last["heldout_accuracy"] <= 1
    described = json.loads(output.files[DESCRIPTION].read_text())
    assert (described["objective"], described["shape"]) == ("masked", "modernbert")
    assert (described["mask_rate"], described["whole_words"]) == (0.3, True)
    assert (output.facts["objective"], output.facts["mask_rate"]) == ("masked", 0.3)
    parts = {**inputs.parts, "model": [model_part(output)]}
    assert set(STEP_MASKED.inputs) == {"model", "tokens", "tokenizer"}
    scored = score_masked_step(Inputs("all", parts, scratch=tmp_path), ScoreConfig(num_threads=1))
    assert isinstance(scored.rows, pa.Table)
    assert scored.rows.schema == HELDOUT_SCORES
    assert scored.rows["doc_id"].to_pylist() == [f"d{n:03d}" for n in range(40, 48)]
    right, targets = (sum(scored.rows[n].to_pylist()) for n in ("num_right", "num_targets"))
    assert scored.facts["masked_accuracy"] == pytest.approx(right / targets)
    assert scored.facts["masked_accuracy"] == pytest.approx(output.facts["heldout_accuracy"])
    assert "bits_per_byte" not in scored.facts


def test_specials_are_never_drawn_and_words_begin_with_their_space(tokenizer: bytes) -> None:
    parts = {"tokenizer": [tokenizer_part(tokenizer)]}
    pieces = pieces_for(Inputs("all", parts), MASKED)
    known = Tokenizer(tokenizer)
    assert {known.piece(n) for n in pieces.special_ids} == {"<unk>", "<s>", "</s>", "<mask>"}
    assert known.piece(pieces.mask_id) == "<mask>"
    assert pieces.kinds_V is not None
    begins = {known.piece(n) for n in range(len(pieces.kinds_V)) if pieces.kinds_V[n] == 1}
    assert begins
    assert all(piece.startswith("▁") for piece in begins)
    assert pieces_for(Inputs("all", parts), replace(MASKED, whole_words=False)).kinds_V is None


def test_a_tokenizer_without_a_mask_is_refused_before_any_step(tmp_path: Path) -> None:
    inputs = inputs_of(train("<other>"), tmp_path / "in")
    with pytest.raises(InputError, match="the tokenizer has no mask"):
        pretrain_step(inputs, MASKED)


def test_the_trunk_of_a_supervised_model_is_a_model_and_the_heads_lie_beside_it(
    tokenizer: bytes, tmp_path: Path
) -> None:
    inputs = inputs_of(tokenizer, tmp_path / "in")
    output = pretrain_step(inputs, LABELLED)
    described = json.loads(output.files[DESCRIPTION].read_text())
    kinds = [f"kind-{n}" for n in range(4)]
    assert described["classes"] == {"kind": kinds, "package": ["e w", "mil"]}
    assert described["label_columns"] == ["package", "kind"]
    heads = load_file(output.files[HEADS])
    assert heads["package.weight"].shape == (2, 64)
    assert heads["kind.weight"].shape == (4, 64)
    trunk = load_model(output.files[WEIGHTS], output.files[DESCRIPTION])
    assert torch.isfinite(trunk(torch.tensor([[1, 5, 2]]))).all()
    facts = output.facts
    assert (facts["labelled_documents"], facts["unlabelled_documents"]) == (32, 8)
    lengths = [len(ids) for ids in Tokenizer(tokenizer).encode_documents(SENTENCES)]
    assert facts["cut_documents"] == sum(lengths[n % 2] > 32 for n in range(40) if n % 5 != 4)
    assert 0 < facts["num_tokens"] <= 6 * 4 * 32
    assert isinstance(output.rows, pa.Table)
    assert output.rows["num_tokens"].to_pylist()[-1] == facts["num_tokens"]


def test_a_context_that_no_labelled_document_reaches_is_told_and_trains(
    tokenizer: bytes, tmp_path: Path
) -> None:
    told: list[str] = []
    inputs = inputs_of(tokenizer, tmp_path / "in")
    inputs = replace(inputs, tell=lambda line, done=None: told.append(line))
    lengths = [len(ids) for ids in Tokenizer(tokenizer).encode_documents(SENTENCES)]
    pretrain_step(inputs, replace(LABELLED, context_tokens=3 * max(lengths)))
    assert told[0].startswith(f"the longest train document has {max(lengths)} tokens, and")
    assert told[0].endswith("lower context_tokens")
    assert all(line.startswith("step ") for line in told[1:])


def test_labels_that_teach_nothing_are_named_before_any_step(
    tokenizer: bytes, tmp_path: Path
) -> None:
    inputs = inputs_of(tokenizer, tmp_path / "in")
    with pytest.raises(InputError, match="no train document has the label 'author'"):
        pretrain_step(inputs, replace(LABELLED, label_columns=("kind", "author")))
    few = inputs_of(tokenizer, tmp_path / "few", num_train=3)
    with pytest.raises(InputError, match="3 documents have a label, too few for one batch of 4"):
        pretrain_step(few, replace(LABELLED, label_columns=("package",)))
    parts = {**inputs.parts, "curated": [FilePart(inputs.parts["curated"][0].table().slice(9))]}
    with pytest.raises(Damaged, match="documents of the token shards are not curated"):
        pretrain_step(Inputs("all", parts, scratch=inputs.scratch), LABELLED)


def test_only_a_causal_model_writes(tokenizer: bytes, tmp_path: Path) -> None:
    digest = digest_bytes(tokenizer)
    for config in (MASKED, LABELLED):
        folder = tmp_path / config.objective
        part = model_part(pretrain_step(inputs_of(tokenizer, folder), config))
        with pytest.raises(UsageError, match=f"learnt the {config.objective} objective and writes"):
            open_writer(part, digest, folder)
    part = model_part(pretrain_step(inputs_of(tokenizer, tmp_path / "causal"), CONFIG))
    assert open_writer(part, digest, tmp_path).config.causal
