"""pack_labels: labelled documents and a tokenizer -> what models are fine-tuned on and judged by.

Two passes: documents are chosen by ids and labels alone (`choose.py`), then the texts of the chosen
are read, one partition at a time. Words that name a label are masked, and a document is cut to its
first ``max_tokens`` tokens. `text` is cut too, to what the ids stand for, so that every arm reads
the same words, the baseline included. Train and dev hold no text that equals one of test's
(nor train one of dev's), whatever their groups.

Rows stand by partition (train, dev, test), then by id, and do not depend on how documents were
partitioned or in which order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError
from data_contracts.labels import LABELLED, PARTITIONS
from data_contracts.tokenizer import Tokenizer, tokenizer_of
from pipelines.labels.choose import Choice, check_classes, choose_documents, read_columns
from pipelines.labels.config import LabelsConfig
from pipelines.labels.mask import Masker
from store.step import Inputs, Output, Part, Step

VERSION = 2

# Of a longer text, only so many characters are masked and encoded; a piece has 16 at most.
CHARS_PER_TOKEN = 32

Counts = dict[str, dict[str, int]]


@dataclass
class Sizes:
    """What was done to the texts of the documents that were chosen, for the receipt."""

    masked_words: int = 0
    cut_documents: int = 0


def pack_labels(inputs: Inputs, config: LabelsConfig) -> Output:
    """Choose, mask, cut and tokenise; one row of `LABELLED` per document that is used.

    Raises:
        InputError: if the label is in no document, or does not leave two classes with documents to
            train on and to test.
        RecipeError: if the recipe has no labelled task.
    """
    parts = inputs.parts["labelled"]
    choice = choose_documents(parts, config)
    counts = _count(choice.chosen.to_pylist())
    check_classes(counts, config)
    masker = Masker([*(counts if config.mask_classes else ()), *config.masked_words])
    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    sizes = Sizes()
    rows = list(_rows(parts, choice.chosen, masker, tokenizer, config.max_tokens, sizes))
    kept = _without_repeats(rows)
    choice.left_out["same_text"] = len(rows) - len(kept)
    check_classes(counts := _count(kept), config)
    numbers = {name: number for number, name in enumerate(sorted(counts))}
    for row in kept:
        row["label"] = numbers[row["class_name"]]
    facts = _facts(kept, counts, choice, sizes, config)
    if facts["groups"]["test"] < 2:
        raise InputError(
            "the test documents are all of one group, so how far scores vary cannot be known; "
            "label documents of more groups, or raise labels.test_ratio."
        )
    return Output(pa.Table.from_pylist(kept, LABELLED), facts=facts)


def _rows(
    parts: Sequence[Part],
    chosen: pa.Table,
    masker: Masker,
    tokenizer: Tokenizer,
    max_tokens: int,
    sizes: Sizes,
) -> Iterator[dict[str, Any]]:
    """Read the texts of the chosen documents; yield rows that lack the number of the class yet."""
    about = {row.pop("doc_id"): row for row in chosen.to_pylist()}
    for part in parts:
        table = read_columns(part, ["doc_id", "text"])
        table = table.filter(pc.is_in(table["doc_id"], chosen["doc_id"].combine_chunks()))
        for doc_id, text in zip(table["doc_id"].to_pylist(), table["text"], strict=True):
            known = about[doc_id]
            masked, ids = _pack(text.as_py(), masker, tokenizer, max_tokens, sizes)
            yield {
                "doc_id": doc_id,
                "partition": known["partition"],
                "group": known["group"],
                "class_name": known["label"],
                "text": masked,
                "ids": ids,
            }


def _pack(
    text: str, masker: Masker, tokenizer: Tokenizer, max_tokens: int, sizes: Sizes
) -> tuple[str, np.ndarray]:
    """Return the masked text of a document, cut to what its ids stand for, and these ids."""
    head = text[: max_tokens * CHARS_PER_TOKEN]
    masked, num_masked = masker.mask(head)
    (ids,) = tokenizer.encode_documents([masked])
    if len(head) < len(text):
        ids = ids[:-1]  # the text does not end here
    sizes.masked_words += num_masked
    sizes.cut_documents += len(head) < len(text) or len(ids) > max_tokens
    if len(ids) > max_tokens:
        ids = ids[:max_tokens]
        masked = masked[: num_chars_of(tokenizer.decode(ids), masked)]
    return masked, ids


def num_chars_of(decoded: str, text: str) -> int:
    """Return how many whole characters of a text the ids stand for that decode to ``decoded``.

    The ids may end within a character that is spelt in bytes: its bytes decode to U+FFFD, which the
    text does not have there.
    """
    pairs = zip(decoded, text, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _without_repeats(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows in order, without those of train whose text dev or test has, and of dev's."""
    texts = {name: {row["text"] for row in rows if row["partition"] == name} for name in PARTITIONS}
    foreign = {"train": texts["dev"] | texts["test"], "dev": texts["test"], "test": set[str]()}
    kept = [row for row in rows if row["text"] not in foreign[row["partition"]]]
    return sorted(kept, key=lambda row: (PARTITIONS.index(row["partition"]), row["doc_id"]))


def _count(rows: list[dict[str, Any]]) -> Counts:
    """Return documents per partition for each class, by its name, classes in alphabetical order."""
    name_key = "class_name" if rows and "class_name" in rows[0] else "label"
    counts: Counts = {}
    for row in rows:
        sizes = counts.setdefault(row[name_key], dict.fromkeys(PARTITIONS, 0))
        sizes[row["partition"]] += 1
    return dict(sorted(counts.items()))


def _facts(
    rows: list[dict[str, Any]],
    counts: Mapping[str, Mapping[str, int]],
    choice: Choice,
    sizes: Sizes,
    config: LabelsConfig,
) -> dict[str, Any]:
    """Return facts for the receipt.

    ``masked_words`` counts those of the first ``max_tokens * CHARS_PER_TOKEN`` characters.
    """
    groups = {(row["partition"], row["group"] or row["doc_id"]) for row in rows}
    return {
        "classes": {name: dict(sizes) for name, sizes in counts.items()},
        "documents": {name: sum(c[name] for c in counts.values()) for name in PARTITIONS},
        "groups": {name: sum(partition == name for partition, _ in groups) for name in PARTITIONS},
        "left_out": choice.left_out,
        "masked_words": sizes.masked_words,
        "cut_documents": sizes.cut_documents,
        "max_tokens": config.max_tokens,
        "num_tokens": sum(len(row["ids"]) for row in rows),
    }


STEP = Step(
    name="pack_labels",
    version=VERSION,
    kind="whole",
    run=pack_labels,
    config=LabelsConfig,
    schema=LABELLED,
    inputs={"labelled": "all", "tokenizer": "all"},
    libraries=("sentencepiece",),
    accounts_for="labelled",
    emits="model",
)
