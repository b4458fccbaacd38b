"""Small folders of English-like text, in which no two documents are equal or much alike."""

import json
import random
from pathlib import Path

WORDS = [
    "the",
    "river",
    "of",
    "words",
    "that",
    "runs",
    "to",
    "the",
    "mill",
    "and",
    "turns",
    "its",
    "wheel",
    "with",
    "patience",
]


def sentence(number: int, words: int = 12) -> str:
    """A line of English that differs for each number."""
    picked = random.Random(number).choices(WORDS, k=words)
    return f"Line {number} says: {' '.join(picked)}."


def write_lines(path: Path, numbers: range) -> None:
    """Write one JSON document per line."""
    lines = [json.dumps({"id": f"{path.stem}-{n}", "text": sentence(n)}) for n in numbers]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
