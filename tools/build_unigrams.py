"""Write ``unigrams.csv``: the most frequent words of English books that are in the public domain.

    python -m tools.build_unigrams BOOKS.tar.xz

BOOKS is an archive of texts of Project Gutenberg (UTF-8, ``*.txt``); what stands outside of the
lines ``*** START OF`` and ``*** END OF``, which is Project Gutenberg's own, is not read. Words are
what white space separates, in lower case, without characters other than letters at their ends.
"""

import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipelines.signals.lists_config import EXAMPLES

NUM_WORDS = 20_000
TABLE = EXAMPLES / "unigrams.csv"
_BOOK = re.compile(r"\*\*\* ?START OF.*?\n(.*)\*\*\* ?END OF", re.DOTALL)
_WORD = re.compile(r"[^\W\d_](?:\S*[^\W\d_])?")


def books(archive: Path) -> Iterator[str]:
    """Yield the text of each book that has both marks."""
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member) if member.name.endswith(".txt") else None
            found = _BOOK.search(content.read().decode("utf-8", "replace")) if content else None
            if found:
                yield found[1]


def count_words(archive: Path) -> Counter[str]:
    """Return how often each word stands in the books."""
    counts: Counter[str] = Counter()
    for book in books(archive):
        counts.update(
            found[0] for word in book.lower().split() if (found := _WORD.search(word)) is not None
        )
    return counts


def build(archive: Path, path: Path = TABLE) -> None:
    """Write the words with the highest counts, ties by their letters."""
    counts = count_words(archive)
    plain = {word: count for word, count in counts.items() if re.fullmatch("[a-z'’-]+", word)}
    ranked = sorted(plain.items(), key=lambda pair: (-pair[1], pair[0]))[:NUM_WORDS]
    rows = [f"{word},{count}\n" for word, count in ranked]
    path.write_text("word,count\n" + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
