"""Write ``spacy_table.npz``: spaCy's classes of characters and its exceptions, for English.

Run it with a Python that has spaCy; it needs nothing else of the project's libraries::

    .venv-peers/bin/python -m tools.build_spacy_table

Another spaCy, or another Python under it, may make another table, and so change rows: raise
``VERSION`` in `pipelines.compute_signals` with it.
"""

import re
import unicodedata
from pathlib import Path

import numpy as np
import spacy
from spacy.lang import char_classes as spelled
from spacy.lang.punctuation import TOKENIZER_SUFFIXES
from spacy.pipeline import Sentencizer
from spacy.tokenizer import Tokenizer

from pipelines.kernels import spacy_table as table

# What a prefix, infix or suffix of several characters begins with, ends with or stands beside.
_BESIDE_MARKS = "+-*^.,:<>=/~0123456789"


def matching(pattern: str) -> set[int]:
    """Return the code points, surrogates left out, that a regular expression matches whole."""
    matches = re.compile(pattern).fullmatch
    codes = range(table.NUM_CODE_POINTS)
    return {code for code in codes if not 0xD800 <= code < 0xE000 and matches(chr(code))}


def single_marks(tokenizer: Tokenizer) -> dict[int, set[int]]:
    """Return the characters that are a prefix, a suffix or an infix alone.

    ``+`` is left out of the prefixes: it is none before a digit.
    """
    prefix = tokenizer.prefix_search.__self__.pattern
    infix = tokenizer.infix_finditer.__self__.pattern
    suffix = tokenizer.suffix_search.__self__.pattern
    return {
        table.PREFIX: matching(prefix) - {ord("+")},
        table.SUFFIX: matching(suffix),
        table.INFIX: matching(infix),
    }


def letters_and_marks() -> dict[int, set[int]]:
    """Return the classes of characters that stand beside stops, commas, hyphens and in URLs."""
    stopped = [rule for rule in TOKENIZER_SUFFIXES if rule.startswith("(?<=[0-9") and "%²" in rule]
    assert len(stopped) == 1, stopped
    return {
        table.ALPHA: matching(f"[{spelled.ALPHA}]"),
        table.LOWER: matching(f"[{spelled.ALPHA_LOWER}]"),
        table.UPPER: matching(f"[{spelled.ALPHA_UPPER}]"),
        table.QUOTE: matching(f"[{spelled.CONCAT_QUOTES}]"),
        table.STOPPED: matching(stopped[0].removeprefix("(?<=").removesuffix(r")\.")),
        table.HOST: matching(r"[A-Za-z0-9\u00a1-\uffff]"),
    }


def classes_of_python() -> dict[int, set[int]]:
    """Return the classes that this Python knows, and the ends of sentences."""
    ends = Sentencizer.default_punct_chars
    assert all(len(char) == 1 for char in ends)
    codes = range(table.NUM_CODE_POINTS)
    return {
        table.SPACE: {code for code in codes if chr(code).isspace()},
        table.WORD: matching(r"\w"),
        table.DECIMAL: matching(r"\d"),
        table.PUNCTUATION: {code for code in codes if unicodedata.category(chr(code))[0] == "P"},
        table.SENTENCE_END: set(map(ord, ends)),
    }


def character_classes(tokenizer: Tokenizer, phrases: list[list[str]]) -> np.ndarray:
    """Return the bits of all code points, uint16."""
    members = {**single_marks(tokenizer), **letters_and_marks(), **classes_of_python()}
    members[table.SECOND] = {ord(words[1][0]) for words in phrases if words}
    beside = set(map(ord, _BESIDE_MARKS + "".join(spelled.LIST_HYPHENS)))
    marks = (members[bit] for bit in (table.PREFIX, table.SUFFIX, table.INFIX))
    members[table.MARKED] = beside.union(*marks)
    classes = np.zeros(table.NUM_CODE_POINTS, dtype=np.uint16)
    for bit, codes in members.items():
        classes[list(codes)] |= bit
    return classes


def ends_of(words: list[str]) -> int:
    """Return bits: bit ``c`` is set where one of some words, joined, ends after character ``c``."""
    ends = np.cumsum([len(word) for word in words]).tolist()
    assert not ends or ends[-1] <= table.MAX_TEXT_CHARS
    return sum(1 << (end - 1) for end in ends)


def find_phrases(texts: list[str], tokenizer: Tokenizer) -> list[list[str]]:
    """Return for each exception the words that spaCy looks for in documents to find it, or none.

    spaCy's ``Tokenizer.add_special_case`` looks for exceptions that have an affix, as words divided
    without exceptions. A single word is left out: it is replaced by itself.
    """
    searches = (tokenizer.prefix_search, tokenizer.suffix_search, tokenizer.infix_finditer)
    plain = Tokenizer(tokenizer.vocab, {}, *searches, None, tokenizer.url_match)
    phrases: list[list[str]] = []
    for text in texts:
        has_affix = tokenizer.find_prefix(text) or tokenizer.find_suffix(text)
        is_searched = has_affix or tokenizer.find_infix(text)
        words = [token.text for token in plain(text)] if is_searched else []
        if len(words) == 1:
            assert [token.text for token in tokenizer(text)] == words
        phrases.append(words if len(words) > 1 else [])
    opened = [words[0][0] + words[1][0] for words in phrases if words]
    assert not any(re.fullmatch(r"\w\w", pair) for pair in opened)  # spacy_phrases relies on it
    return phrases


def units() -> np.ndarray:
    """Return the suffixes behind a digit; none of them holds a digit."""
    currencies = [text.replace("\\", "") for text in spelled.LIST_CURRENCY]
    found = sorted({"+", *spelled.LIST_UNITS, *currencies})
    assert not any(char in "0123456789" for text in found for char in text)
    assert max(map(len, found)) <= table.MAX_UNIT_CHARS
    return np.array(found)


def build(path: Path) -> None:
    """Write the table of the installed spaCy to ``path``.

    White space is no word, so exceptions that are white space are left out.
    """
    tokenizer = spacy.blank("en").tokenizer
    texts = sorted(text for text in tokenizer.rules if not text.isspace())
    splits = [[token.text for token in tokenizer(text)] for text in texts]
    phrases = find_phrases(texts, tokenizer)
    classes = character_classes(tokenizer, phrases)
    run_starts = np.flatnonzero(np.diff(classes, prepend=~classes[:1])).astype(np.int32)
    np.savez_compressed(
        path,
        run_starts=run_starts,
        run_classes=classes[run_starts],
        exceptions=np.array(texts),
        splits=np.array([ends_of(words) for words in splits], dtype=np.int32),
        phrases=np.array([ends_of(words) for words in phrases], dtype=np.int32),
        units=units(),
        spacy_version=np.array(spacy.__version__),
        unicode_version=np.array(unicodedata.unidata_version),
    )


if __name__ == "__main__":
    build(table.TABLE_PATH)
