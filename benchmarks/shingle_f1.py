"""The measure of the article extraction benchmark (scrapinghub, ``evaluate.py``), written anew.

Texts are multisets of runs of four words. Of each page, true positives, false positives and false
negatives are divided by their sum; precision and recall are means over pages, F1 is theirs.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

WORDS = re.compile(r"\w+")
NUM_WORDS = 4


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Return the runs of four words of a text; a shorter text is one run."""
    words = WORDS.findall(text)
    num_runs = max(1, len(words) - NUM_WORDS + 1) if words else 0
    return Counter(tuple(words[at : at + NUM_WORDS]) for at in range(num_runs))


def precision_recall(gold: str, found: str) -> tuple[float, float]:
    """Return precision and recall of one page."""
    wanted, got = shingles(gold), shingles(found)
    right = (wanted & got).total()
    wrong, missed = got.total() - right, wanted.total() - right
    return (right / (right + wrong) if wrong else 1.0, right / (right + missed) if missed else 1.0)


def score(
    gold: Mapping[str, str], found: Mapping[str, str], ids: Iterable[str]
) -> tuple[float, float, float]:
    """Return precision, recall and F1 of some pages."""
    pages = [precision_recall(gold[page], found[page]) for page in ids]
    precision = sum(page[0] for page in pages) / len(pages)
    recall = sum(page[1] for page in pages) / len(pages)
    return precision, recall, 2 * precision * recall / (precision + recall)


def load_articles(data: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the gold texts and the HTML of the pages in ``data``, by their ids."""
    truth = json.loads(gzip.decompress((data / "ground-truth.json.gz").read_bytes()))
    pages = {}
    with tarfile.open(data / "html_gz.tar") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                name = Path(member.name).name.removesuffix(".html.gz")
                pages[name] = gzip.decompress(content.read())
    return {name: truth[name]["articleBody"] for name in pages}, pages
