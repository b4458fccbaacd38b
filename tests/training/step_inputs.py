"""What tests of steps make up: a partition, a small tokenizer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from sentencepiece import SentencePieceTrainer

from store.errors import NotFound


@dataclass
class FilePart:
    """A partition in memory, its files in a folder."""

    rows: pa.Table
    files: dict[str, Path] = field(default_factory=dict)
    key: str = "all"

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return self.rows if columns is None else self.rows.select(list(columns))

    def file(self, name: str, folder: Path) -> Path:
        if name not in self.files:
            raise NotFound(f"no file {name}")
        return self.files[name]


def small_tokenizer(sentences: Sequence[str], vocab_size: int, control_symbols: str = "") -> bytes:
    """Return a SentencePiece model of some sentences."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences] * 20),
        model_writer=model,
        vocab_size=vocab_size,
        model_type="bpe",
        byte_fallback=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        control_symbols=control_symbols,
        minloglevel=2,
    )
    return model.getvalue()
