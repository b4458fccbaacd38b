"""score_heldout: a pre-trained model and token shards -> how well it predicts each held-out text.

One row per scored document, in the order of the shards. Fine-tuning sees none of it: this judges
the language model by itself, in bits per byte, which models of other tokenizers share.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.errors import Damaged, UsageError
from data_contracts.models import HELDOUT_SCORES
from data_contracts.shards import ShardSet
from store.step import Inputs, Output, Part, Step
from training.config import NAMES_OF_NUMBERS
from training.model_config import ModelConfig
from training.steps.model_parts import open_model
from training.steps.token_shards import documents_of, open_parts

if TYPE_CHECKING:
    from training.heldout import DocumentScores, Scorer

VERSION = 4

SPLIT = "heldout"


@dataclass(frozen=True)
class ScoreConfig:
    """How much is read, and how.

    About ``max_tokens`` tokens are read: every document if there are no more, else every k-th.
    ``batch_rows`` rows of the model's context go through it at once. ``dtype`` is ``float32`` or
    ``bfloat16``. ``num_threads`` changes last bits, so it counts;
    0 leaves torch's own choice.

    Raises:
        UsageError: if a value is out of range.
    """

    max_tokens: int = 1_000_000
    batch_rows: int = 16
    dtype: str = "float32"
    num_threads: int = 0

    def __post_init__(self) -> None:
        for name in ("max_tokens", "batch_rows"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.num_threads < 0:
            raise UsageError(f"num_threads is {self.num_threads}; give 1 or more, or 0 for all")
        if self.dtype not in NAMES_OF_NUMBERS:
            choices = " or ".join(NAMES_OF_NUMBERS)
            raise UsageError(f"dtype is {self.dtype}; give {choices}")


def score_heldout(inputs: Inputs, config: ScoreConfig) -> Output:
    """Score held-out documents; no row if none is held out.

    Raises:
        UsageError: if the model was trained with another tokenizer than the shards.
        InputError: if there are no shards at all.
    """
    if inputs.scratch is None:
        raise ValueError("score_heldout opens files and needs a folder for those of a bucket")
    shards = open_parts(inputs.parts["tokens"], SPLIT, inputs.scratch / "tokens")
    documents = documents_of(inputs.parts["tokens"], SPLIT)
    if documents["num_bytes"].to_pylist() != [n for s in shards.shards for n in s.num_bytes]:
        raise Damaged(
            "the held-out token shards and their tables do not list the same documents; "
            "`millrace verify --repair` sets what is damaged aside, then run again."
        )
    if not shards.num_documents:
        return Output(HELDOUT_SCORES.empty_table(), facts={"num_heldout_documents": 0})
    num_tokens = min(shards.num_tokens, config.max_tokens)
    inputs.tell(f"about {num_tokens:,} of {shards.num_tokens:,} held-out tokens")
    started = time.perf_counter()
    scores = _scores(inputs.one("model"), shards, config, inputs.scratch)
    seconds = time.perf_counter() - started
    rows = {
        "doc_id": documents["doc_id"].take(scores.indexes_N),
        "num_targets": scores.num_targets_N,
        "num_bytes": scores.num_bytes_N,
        "nats": scores.nats_N,
        "num_right": pa.nulls(len(scores.nats_N), pa.int64()),
    }
    return Output(pa.table(rows, HELDOUT_SCORES), facts=_facts(scores, shards, seconds))


def _scores(model: Part, shards: ShardSet, config: ScoreConfig, folder: Path) -> DocumentScores:
    from training.heldout import score_documents
    from training.precision import threads

    decoder = open_model(model, shards.tokenizer_digest, folder)
    with threads(config.num_threads):
        return score_documents(decoder.eval(), shards, scorer_of(config, decoder.config))


def scorer_of(config: ScoreConfig, shape: ModelConfig) -> Scorer:
    """Return how a model of a shape is scored on a processor."""
    import torch

    from training.heldout import Scorer
    from training.precision import Precision

    return Scorer(
        context_tokens=shape.context_tokens,
        batch_rows=config.batch_rows,
        precision=Precision(config.dtype, "asked for"),
        device=torch.device("cpu"),
        max_tokens=config.max_tokens,
    )


def _facts(scores: DocumentScores, shards: ShardSet, seconds: float) -> dict[str, Any]:
    num_targets = int(scores.num_targets_N.sum())
    return {
        "bits_per_byte": scores.bits_per_byte,
        "loss": scores.loss,
        "num_targets": num_targets,
        "num_bytes": int(scores.num_bytes_N.sum()),
        "num_documents": len(scores.indexes_N),
        "num_heldout_documents": shards.num_documents,
        "tokens_per_second": round(num_targets / seconds),
    }


STEP = Step(
    name="score_heldout",
    version=VERSION,
    kind="whole",
    run=score_heldout,
    config=ScoreConfig,
    schema=HELDOUT_SCORES,
    inputs={"model": "all", "tokens": "all"},
    libraries=("numpy", "torch"),
    emits="model",  # scores are no documents, so there are none to account for
)
