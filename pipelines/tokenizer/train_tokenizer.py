"""train_tokenizer: curated documents -> a SentencePiece model.

Byte pair encoding, or a unigram model, with byte fallback and without normalisation, so that ids
decode to the very text. It learns from documents of the train split alone, line by line. No space
is put before a text (``add_dummy_prefix``): a word at the start of a line or of a text has the same
ids, and ids of texts that are joined at a line end are the ids of the joined text.

A model that is there already can be named instead; then nothing is learnt, and what it makes of
the text is measured all the same (`pipelines.tokenizer.measure`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data_contracts.errors import InputError, RecipeError
from data_contracts.tokenizer import TOKENIZERS
from pipelines.tokenizer.estimate import announced
from pipelines.tokenizer.given_model import read_compared, read_model
from pipelines.tokenizer.measure import measure
from pipelines.tokenizer.sample import MAX_LINE_BYTES, Lines, draw_sample
from store.identity import digest_bytes
from store.step import Inputs, Output, Step, uncounted

VERSION = 2

NAME = "tokenizer.model"
UNK_ID, BOS_ID, EOS_ID, PAD_ID = range(4)
USER_DEFINED_SYMBOLS = ("\n", "\t")

MODEL_TYPES = ("bpe", "unigram")
MIN_VOCAB_SIZE = 300
MAX_WEIGHT = 1_000_000

_TAKEN = ("<unk>", "<s>", "</s>", "<pad>", "<0x00> to <0xFF>")
_NO_SYMBOL = re.compile("[\\s,\u2581\u2585\\0]|^<0x[0-9A-F]{2}>$")

_NO_LINES = "!sentences_.empty()"
_TOO_LARGE = re.compile(r"Vocabulary size too high .*value <= (\d+)")
_TOO_SMALL = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")


@dataclass(frozen=True)
class TokenizerConfig:
    """How large a vocabulary, learnt from how much text; or which model there is already.

    ``model_type`` is ``bpe`` or ``unigram``. ``vocab_size`` counts all ids: 4 special ones, those
    of ``control_symbols``, 2 white-space symbols and ``user_symbols``, 256 bytes, the pieces.
    ``control_symbols`` (a mask, marks of a class or a chat) have ids that no text is encoded to,
    even if it spells them; training finds the ids of ``<mask>``, ``<sep>`` and ``<cls>`` by name
    (`data_contracts.tokenizer.ROLES`). ``user_symbols`` are one id wherever a text has them.
    ``sample_bytes`` bounds the text that it learns from; it comes of each source in proportion to
    its bytes times its weight in ``weights`` (1 unless named; 0: none of it), as far as it has so
    much (`pipelines.tokenizer.sample`). ``character_coverage`` is the share of characters that must
    have a piece of their own; rarer ones are spelt in bytes. ``num_threads`` is the trainer's and
    counts as part of the model's identity: the model records it.

    ``model`` is the path of a SentencePiece model; it is known by its content, whose digest
    `pipelines.tokenizer.given_model.with_model_digests` writes to ``model_digest``. ``compare`` are
    paths of others, which are measured on the same texts; theirs come to ``compare_digests``.

    Raises:
        RecipeError: if a value is out of range.
    """

    vocab_size: int = 4096
    sample_bytes: int = 64 << 20
    character_coverage: float = 0.9995
    num_threads: int = 1
    model_type: str = "bpe"
    weights: tuple[tuple[str, float], ...] = ()
    control_symbols: tuple[str, ...] = ("<mask>",)
    user_symbols: tuple[str, ...] = ()
    model: str | None = uncounted(None)
    model_digest: str | None = None
    compare: tuple[str, ...] = uncounted(())
    compare_digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ranges = {
            "vocab_size": (MIN_VOCAB_SIZE, 1_000_000),
            "sample_bytes": (1, 1 << 32),
            "character_coverage": (0.98, 1.0),
            "num_threads": (1, 128),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise RecipeError(
                    f"tokenizer.{name} is {value}; use a number from {least:,} to {most:,}."
                )
        if self.model_type not in MODEL_TYPES:
            raise RecipeError(
                f"tokenizer.model_type is {self.model_type!r}; use {' or '.join(MODEL_TYPES)}."
            )
        self._check_weights()
        self._check_symbols()

    def _check_weights(self) -> None:
        names = [name for name, _ in self.weights]
        for name, weight in self.weights:
            if not 0 <= weight <= MAX_WEIGHT or 0 < weight < 1 / MAX_WEIGHT:
                raise RecipeError(
                    f"tokenizer.weights.{name} is {weight}; use 0, or a number from "
                    f"{1 / MAX_WEIGHT:g} to {MAX_WEIGHT:,}."
                )
            if names.count(name) > 1:
                raise RecipeError(f"tokenizer.weights has {name!r} twice; name it once.")

    def _check_symbols(self) -> None:
        """Refuse symbols that SentencePiece would change, merge or end the process for."""
        seen = {"<unk>", "<s>", "</s>", "<pad>", *USER_DEFINED_SYMBOLS}
        for name in ("control_symbols", "user_symbols"):
            for symbol in getattr(self, name):
                if symbol in seen or _NO_SYMBOL.search(symbol) or not symbol:
                    raise RecipeError(
                        f"tokenizer.{name} has {symbol!r}; use each symbol once, without white "
                        f"space, commas, U+2581, U+2585 or NUL, and none of {', '.join(_TAKEN)}."
                    )
                seen.add(symbol)


def train_tokenizer(inputs: Inputs, config: TokenizerConfig) -> Output:
    """Train on a sample of the train split; the same sample and config give the same bytes.

    Raises:
        InputError: if there is no text to train on, or none of a source that has a weight.
        RecipeError: if the vocabulary is too large for the text, or too small for its characters;
            if the sample is too large for the machine's memory.
    """
    parts, others = inputs.parts["curated"], read_compared(config)
    if config.model is not None:
        model = read_model(config)
        return _output(model, measure(model, parts, others))
    sample = draw_sample(parts, "train", config.sample_bytes, config.weights)
    if sample.num_bytes == 0:
        raise InputError(
            "there is no text in the train split to train a tokenizer on; add sources, or look at "
            "`millrace status` for what dropped their documents."
        )
    inputs.tell(announced(config.model_type, sample.num_bytes))
    lines = Lines(sample.texts(parts))
    model = train_model(lines, config)
    facts = {
        "sample_documents": sample.num_documents,
        "sample_bytes": sample.num_bytes,
        "sample_by_source": sample.bytes_by_source,
        "sample_lines": lines.num_lines,
        "cut_lines": lines.num_cut,
    }
    return _output(model, facts | measure(model, parts, others))


def _output(model: bytes, facts: dict[str, Any]) -> Output:
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
            model_type=config.model_type,
            vocab_size=config.vocab_size,
            character_coverage=config.character_coverage,
            num_threads=config.num_threads,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            control_symbols=list(config.control_symbols),
            user_defined_symbols=[*USER_DEFINED_SYMBOLS, *config.user_symbols],
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
