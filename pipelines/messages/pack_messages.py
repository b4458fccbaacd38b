"""pack_messages: conversations and a tokenizer -> token shards with masks, and a row for each.

Stands beside `pack_tokens`: each partition becomes two shards, ``train`` and ``heldout``, with a
mask of what a model is asked for (`pipelines.messages.chat`). A conversation is one sample or,
where it is long, several; one of which nothing fits is dropped with the reason. Equal ones are on
one side.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.errors import InputError
from data_contracts.messages import PACKED_MESSAGES
from data_contracts.shard_index import MASK, ShardEntry, file_names
from data_contracts.tokenizer import Tokenizer, tokenizer_of
from data_contracts.write_shards import write_index, write_shard
from pipelines.messages.chat import ChatTemplate, Sample, SetAside
from pipelines.messages.config import ConversationsConfig
from pipelines.messages.conversations import Conversation, turns_of
from store.step import Inputs, Output, Step

VERSION = 2

SPLITS = ("train", "heldout")


@dataclass
class _Side:
    """The samples of one side so far, in order."""

    samples: list[Sample] = field(default_factory=list)
    num_tokens: int = 0


def pack_messages(inputs: Inputs, config: ConversationsConfig) -> Output:
    """Write the shards of a partition; one row per conversation, in their order.

    Raises:
        InputError: if nothing in a conversation would be asked for, if a character has neither
            piece nor bytes, or if the tokenizer lacks a mark.
    """
    if inputs.scratch is None:
        raise ValueError("pack_messages writes files and needs a folder to write them in")
    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    template = ChatTemplate(tokenizer, config.marks)
    documents = inputs.one("conversations").table(["doc_id", "record_key", "text", "text_hash"])
    sides = {split: _Side() for split in SPLITS}
    rows = [_row(document, template, config, sides) for document in documents.to_pylist()]
    entries = [_write(inputs.scratch, split, sides[split], tokenizer) for split in SPLITS]
    write_index(inputs.scratch, tokenizer.vocabulary, entries)
    names = [*file_names(SPLITS), *(f"{split}{MASK}" for split in SPLITS)]
    return Output(
        pa.Table.from_pylist(rows, PACKED_MESSAGES),
        facts=_facts(rows),
        files={name: inputs.scratch / name for name in names},
    )


def _row(
    document: dict[str, Any],
    template: ChatTemplate,
    config: ConversationsConfig,
    sides: dict[str, _Side],
) -> dict[str, Any]:
    """Put a conversation's samples on its side; return its row."""
    turns = turns_of(json.loads(document["text"]))
    named = Conversation(document["record_key"], turns)
    found = list(template.samples(named, config.max_tokens))
    samples = [one for one in found if isinstance(one, Sample)]
    aside = [one for one in found if isinstance(one, SetAside)]
    split = side_of(document["text_hash"], config)
    side = sides[split]
    row = {
        "doc_id": document["doc_id"],
        "keep": bool(samples),
        "reason": None if samples else aside[0].reason,
        "values": _values(aside, config) if aside else None,
        "split": split,
        "token_offset": side.num_tokens if samples else None,
        "num_tokens": sum(len(sample.ids) for sample in samples),
        "num_asked": sum(int(sample.mask.sum()) for sample in samples),
        "num_bytes": sum(sample.num_bytes for sample in samples),
        "num_samples": len(samples),
        "num_aside": len(aside),
    }
    side.samples += samples
    side.num_tokens += row["num_tokens"]
    return row


def side_of(text_hash: str, config: ConversationsConfig) -> str:
    """Return the side of a conversation: by the first 32 bits of MD5 of ``<seed>:<hash>``."""
    drawn = hashlib.md5(f"{config.seed}:{text_hash}".encode(), usedforsecurity=False).digest()
    is_held = int.from_bytes(drawn[:4], "big") < config.heldout_ratio * 2**32
    return "heldout" if is_held else "train"


def _values(aside: list[SetAside], config: ConversationsConfig) -> str:
    """Return what was measured of exchanges set aside: tokens, and how many by reason."""
    counts = Counter(one.reason for one in aside)
    num_tokens = sum(one.num_tokens for one in aside)
    return json.dumps({"num_tokens": num_tokens, "max_tokens": config.max_tokens, **counts})


def _write(folder: Path, split: str, side: _Side, tokenizer: Tokenizer) -> ShardEntry:
    vocabulary, samples = tokenizer.vocabulary, side.samples
    if lost := next((s for s in samples if tokenizer.special_ids["unk"] in s.ids), None):
        raise InputError(
            f"{lost.name} has a character that the tokenizer has no piece for, and no bytes to "
            f"spell it in, so that it would be lost; use a tokenizer with byte fallback."
        )
    return write_shard(
        folder,
        split,
        (sample.ids for sample in samples),
        [sample.num_bytes for sample in samples],
        vocabulary.dtype,
        vocabulary.tokenizer_digest,
        mask=np.concatenate([np.zeros(0, np.uint8), *(sample.mask for sample in samples)]),
    )


def _facts(rows: list[dict[str, Any]]) -> dict[str, int]:
    counted = ("num_tokens", "num_asked", "num_bytes", "num_samples", "num_aside")
    facts = {name: sum(row[name] for row in rows) for name in counted}
    for split in SPLITS:
        facts[f"{split}_samples"] = sum(r["num_samples"] for r in rows if r["split"] == split)
    return facts


STEP = Step(
    name="pack_messages",
    version=VERSION,
    kind="map",
    run=pack_messages,
    config=ConversationsConfig,
    schema=PACKED_MESSAGES,
    inputs={"conversations": "aligned", "tokenizer": "all"},
    libraries=("sentencepiece",),
    accounts_for="conversations",
)
