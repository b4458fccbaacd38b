"""A small curated corpus with labels, and a tokenizer learnt from it."""

import functools
import random

import pyarrow as pa
from memory_part import MemoryPart

from data_contracts.documents import CURATED, doc_id, hash_text
from data_contracts.tokenizer import tokenizer_of
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_tokenizer
from store.step import Inputs

CLASSES = ("Apple", "berry", "cherry")
_WORDS = {
    "Apple": ["round", "green", "crisp", "orchard", "cider", "core", "tree", "bite"],
    "berry": ["small", "blue", "bush", "soft", "jam", "handful", "sweet", "wild"],
    "cherry": ["red", "stone", "pair", "blossom", "stem", "tart", "pie", "spring"],
}
_COMMON = ["the", "a", "of", "with", "and", "some", "very", "fruit", "in", "season", "by", "day"]


def document(number, text, split, labels):
    return {
        "doc_id": doc_id("s", str(number)),
        "source": "s",
        "uri": "f",
        "record_key": str(number),
        "kind": "text",
        "text": text,
        "text_hash": hash_text(text),
        "labels": sorted(labels.items()),
        "num_repairs": 0,
        "split": split,
        "num_chars": len(text),
        "num_words": len(text.split()),
    }


def text_of(name, draw, num_words=30):
    words = [
        draw.choice(_WORDS[name] if draw.random() < 0.1 else _COMMON) for _ in range(num_words)
    ]
    return " ".join([*words[:5], name.upper(), *words[5:]])


@functools.cache
def corpus(count=600):
    """Return a table of `CURATED`: three classes, 60 modules, a quarter held out."""
    draw = random.Random(3)
    rows = []
    for number in range(count):
        name = CLASSES[draw.choices(range(3), [5, 3, 2])[0]]
        labels = {"package": name, "module": f"module-{draw.randrange(60)}"}
        if number % 50 == 0:
            labels = {"kind": "class"}
        split = "heldout" if draw.random() < 0.25 else "train"
        rows.append(document(number, text_of(name, draw), split, labels))
    return pa.Table.from_pylist(rows, CURATED)


@functools.cache
def tokenizer_table():
    inputs = Inputs("part", {"curated": (MemoryPart("part", corpus()),)})
    return train_tokenizer(inputs, TokenizerConfig(vocab_size=400)).rows


def tokenizer():
    return tokenizer_of(tokenizer_table())
