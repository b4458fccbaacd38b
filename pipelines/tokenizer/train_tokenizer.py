"""train_tokenizer: curated documents -> a SentencePiece model.

Byte pair encoding with byte fallback and without normalisation, so that ids decode to the very
text. It learns from documents of the train split alone, line by line. No space is put before a
text (``add_dummy_prefix``): a word at the start of a line or of a text has the same ids, and ids of
texts that are joined at a line end are the ids of the joined text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from data_contracts.errors import InputError, RecipeError
from data_contracts.tokenizer import TOKENIZERS, Tokenizer
from pipelines.tokenizer.sample import MAX_LINE_BYTES, Lines, draw_sample
from store.identity import digest_bytes
from store.step import Inputs, Output, Part, Step

VERSION = 1

NAME = "tokenizer.model"
UNK_ID, BOS_ID, EOS_ID, PAD_ID = range(4)
USER_DEFINED_SYMBOLS = ("\n", "\t")

MIN_VOCAB_SIZE = 300

_MEASURED_BYTES = 1 << 20
_NO_LINES = "!sentences_.empty()"
_TOO_LARGE = re.compile(r"Vocabulary size too high .*value <= (\d+)")
_TOO_SMALL = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")


@dataclass(frozen=True)
class TokenizerConfig:
    """How large a vocabulary, learnt from how much text.

    ``vocab_size`` counts all ids: 4 special ones, 2 white-space symbols, 256 bytes, the pieces.
    ``sample_bytes`` bounds the text that it learns from. ``character_coverage`` is the share of
    characters that must have a piece of their own; rarer ones are spelt in bytes. ``num_threads``
    is the trainer's and counts as part of the model's identity: the model records it.

    Raises:
        RecipeError: if a value is out of range.
    """

    vocab_size: int = 4096
    sample_bytes: int = 64 << 20
    character_coverage: float = 0.9995
    num_threads: int = 1

    def __post_init__(self) -> None:
        ranges = {
            "vocab_size": (MIN_VOCAB_SIZE, 1_000_000),
            "sample_bytes": (1, 1 << 32),
            "character_coverage": (0.9, 1.0),
            "num_threads": (1, 128),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise RecipeError(
                    f"tokenizer.{name} is {value}; use a number from {least:,} to {most:,}."
                )


def train_tokenizer(inputs: Inputs, config: TokenizerConfig) -> Output:
    """Train on a sample of the train split; the same sample and config give the same bytes.

    Raises:
        InputError: if there is no text to train on.
        RecipeError: if the vocabulary is too large for the text, or too small for its characters.
    """
    parts = inputs.parts["curated"]
    sample = draw_sample(parts, "train", config.sample_bytes)
    if sample.num_bytes == 0:
        raise InputError(
            "there is no text in the train split to train a tokenizer on; add sources, or look at "
            "`millrace status` for what dropped their documents."
        )
    lines = Lines(sample.texts(parts))
    model = train_model(lines, config)
    facts = {
        "num_pieces": config.vocab_size,
        "sample_documents": sample.num_documents,
        "sample_bytes": sample.num_bytes,
        "sample_lines": lines.num_lines,
        "cut_lines": lines.num_cut,
        **measure(Tokenizer(model), parts),
    }
    row = {"name": NAME, "digest": digest_bytes(model), "data": model}
    return Output(pa.Table.from_pylist([row], TOKENIZERS), facts=facts)


def train_model(lines: Iterable[str], config: TokenizerConfig) -> bytes:
    """Return the bytes of a model trained on lines of at most `MAX_LINE_BYTES`.

    Raises:
        RecipeError: if the vocabulary is too large for the text, or too small for its characters.
        Exception: what iterating over the lines raised.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    caught: list[Exception] = []
    try:
        SentencePieceTrainer.train(
            sentence_iterator=_caught(lines, caught),
            model_writer=model,
            model_type="bpe",
            vocab_size=config.vocab_size,
            character_coverage=config.character_coverage,
            num_threads=config.num_threads,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=list(USER_DEFINED_SYMBOLS),
            max_sentence_length=MAX_LINE_BYTES,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            pad_id=PAD_ID,
            minloglevel=2,
        )
    except RuntimeError as error:
        if caught:
            raise caught[0] from None
        raise _explained(error, config) from error
    return model.getvalue()


def _caught(lines: Iterable[str], caught: list[Exception]) -> Iterator[str]:
    """Yield lines and keep what iterating raises: the trainer turns it into a text."""
    try:
        yield from lines
    except Exception as error:
        caught.append(error)
        raise


def _explained(error: RuntimeError, config: TokenizerConfig) -> Exception:
    """Return the trainer's complaints about too little text as ours, and others as they are."""
    size = f"tokenizer.vocab_size is {config.vocab_size:,}"
    found = _TOO_LARGE.search(str(error))
    most = int(found[1]) if found else 0
    if most >= MIN_VOCAB_SIZE:
        return RecipeError(
            f"{size}, but the text of the train split yields only {most:,} pieces; set it to "
            f"{most:,} or less, or add sources."
        )
    if found or _NO_LINES in str(error):
        return InputError(
            f"the text of the train split is too small to train a tokenizer on: it does not yield "
            f"{MIN_VOCAB_SIZE} pieces; add sources."
        )
    if found := _TOO_SMALL.search(str(error)):
        return RecipeError(
            f"{size}, but the characters of the train split take {int(found[1]):,}; set it higher, "
            f"or lower tokenizer.character_coverage so that rare ones are spelt in bytes."
        )
    return error


def measure(tokenizer: Tokenizer, parts: Iterable[Part]) -> dict[str, str | float]:
    """Return UTF-8 bytes per token of up to a mebibyte of held-out text, or of train text.

    BOS and EOS are not counted. ``measured_on`` names the split.
    """
    parts = list(parts)
    sample = draw_sample(parts, "heldout", _MEASURED_BYTES)
    if sample.num_bytes == 0:
        sample = draw_sample(parts, "train", _MEASURED_BYTES)
    num_bytes = num_tokens = 0
    for text in sample.texts(parts):
        num_bytes += len(text.encode())
        num_tokens += len(tokenizer.encode(text))
    return {"bytes_per_token": num_bytes / num_tokens, "measured_on": sample.split}


STEP = Step(
    name="train_tokenizer",
    version=VERSION,
    kind="whole",
    run=train_tokenizer,
    config=TokenizerConfig,
    schema=TOKENIZERS,
    inputs={"curated": "all"},
    libraries=("sentencepiece",),
    accounts_for="curated",
    emits="model",
)
