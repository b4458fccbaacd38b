"""datatrove's Gopher and FineWeb dialects against the filters of datatrove 0.10 themselves."""

import io
import json
import random
import subprocess
import sys
import tarfile
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import zstandard

from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation
from pipelines.policies.datatrove import DIALECTS, GOPHER
from pipelines.signals import datatrove_lines, datatrove_repetition, datatrove_words

pytestmark = pytest.mark.peer

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "pipelines"))

from deciding import first_reasons, measure  # noqa: E402
from threshold_texts import all_cases  # noqa: E402

PYTHON = REPOSITORY / ".venv-peers" / "bin" / "python"
FAMILIES = (datatrove_repetition.FAMILY, datatrove_words.FAMILY, datatrove_lines.FAMILY)
NUM_RANDOM, NUM_REVIEWS, NUM_PEPS = 3000, 2000, 200
FAILS = "ZeroDivisionError"

PROGRAM = """
import importlib.metadata, json, sys
from datatrove.data import Document
from datatrove.pipeline.filters import (
    FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
)
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate, find_top_duplicate, get_n_grams
)
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION, split_into_words

assert importlib.metadata.version("datatrove") == "0.10.0"
filters = {
    "gopher_repetition@datatrove-0.10": GopherRepetitionFilter(),
    "gopher_quality@datatrove-0.10": GopherQualityFilter(),
    "fineweb@datatrove-0.10": FineWebQualityFilter(),
}

def answer(one, text):
    try:
        kept = one.filter(Document(text=text, id=""))
    except ZeroDivisionError as error:
        return type(error).__name__
    return None if kept is True else kept[1]

texts = json.load(sys.stdin)

def measure(text):
    words = split_into_words(text)
    tops = [find_top_duplicate(get_n_grams(words, n)) for n in (2, 3, 4) if len(words) >= n]
    return tops + [0] * (3 - len(tops)) + [find_all_duplicate(words, n) for n in range(5, 11)]

answers, measured = {name: [] for name in filters}, []
for text in texts:  # datatrove keeps the words of the latest texts
    measured.append(measure(text))
    for name, one in filters.items():
        answers[name].append(answer(one, text))
sets = [sorted(map(ord, chars)) for chars in (PUNCTUATION_SET, TERMINAL_PUNCTUATION)]
json.dump([answers, sets, measured], sys.stdout)
"""


def ask_datatrove(texts):
    """Return what datatrove says of texts.

    By dialect the reason of each text, or None; its sets of characters; and for each text the
    characters in n-grams, most frequent ones and copies.
    """
    if not PYTHON.exists():
        pytest.skip(".venv-peers is not there; make peers")
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM], input=json.dumps(texts), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def check_grams(texts, num_chars, signals):
    """See that shares of characters are datatrove's, whatever was decided."""
    names = [name for name in signals.column_names if "gram" in name]
    assert len(names) == 9
    for number, name in enumerate(names):
        expected = [
            row[number] / len(text) if text else 0.0
            for text, row in zip(texts, num_chars, strict=True)
        ]
        assert signals[name].to_pylist() == expected


def compare(texts):
    """Compare all dialects on the texts; return how often each (dialect, reason) was given."""
    theirs, _, num_chars = ask_datatrove(texts)
    signals = measure(FAMILIES, texts)
    ours = {dialect.name: first_reasons(dialect, signals) for dialect in DIALECTS}
    check_grams(texts, num_chars, signals)
    told = Counter()
    for name, reasons in theirs.items():
        prefix = "fineweb." if name.startswith("fineweb") else "gopher."
        for text, their_reason, our_reason in zip(texts, reasons, ours[name], strict=True):
            if their_reason == FAILS:
                assert text == ""
                assert name.startswith("gopher_repetition")
                assert our_reason is None
                continue
            expected = their_reason and prefix + their_reason.removeprefix("gopher_")
            assert our_reason == expected, (name, text[:500])
            told[name, our_reason] += 1
    joined = [ours[f"gopher_{part}@datatrove-0.10"] for part in ("repetition", "quality")]
    assert ours[GOPHER.name] == [first or second for first, second in zip(*joined, strict=True)]
    return told


def test_texts_at_thresholds_are_decided_alike_and_every_rule_is_met():
    told = compare([case.text for case in all_cases()])
    for dialect in DIALECTS:
        if dialect is not GOPHER:
            assert min(told[dialect.name, rule.reason] for rule in dialect.rules) > 0
            assert told[dialect.name, None] > 5, told


PIECES = (
    *("the", "be", "with", "and", "don't", "e.g.", "#", "...", "…", "- ", "• ", "1,000.5", "中文"),
    *("\n", "\n\n", "\n\n\n", "\r\n", "\u2028", "\x1c", " \n ", "a.", "b!", "¿c?", "é\u0301", "१२"),
    *("www.example.com/a#b", "word-word", "\U0001f44d", "(x)", "ab c", "a bc", "：１％", "\u200b"),
)


def random_text(rng):
    """Return a text that repeats words, phrases and lines to a random degree."""
    pieces = rng.sample(PIECES, rng.randrange(1, len(PIECES)))
    words = [f"{rng.choice('bcdfgh')}{number}{rng.choice('aeiou')}x" for number in range(90)]
    phrases = [" ".join(rng.choices(words, k=rng.randrange(1, 12))) for _ in range(8)]
    phrases += [phrase + rng.choice(["\n", "\n\n", ".\n", ""]) for phrase in phrases]
    from_all = [*words * rng.randrange(4), *phrases * rng.randrange(4), *pieces, "the", "of"]
    return rng.choice([" ", " ", ""]).join(rng.choices(from_all, k=rng.choice([3, 60, 150, 400])))


def test_random_texts_are_decided_alike():
    rng = random.Random(11)
    told = compare(["", "\n", *(random_text(rng) for _ in range(NUM_RANDOM))])
    assert len(told) > 20, told
    assert sum(told.values()) == 3 * (NUM_RANDOM + 2) - 1


def test_reviews_and_peps_are_decided_alike(shared_data):
    packed = (shared_data / "imdb-unsup" / "imdb_unsup.jsonl.zst").read_bytes()
    lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8")
    reviews = [json.loads(line)["text"] for line in islice(lines, NUM_REVIEWS)]
    with tarfile.open(shared_data / "peps" / "peps.tar.xz") as packed:
        members = islice((one for one in packed if one.name.endswith(".rst")), NUM_PEPS)
        peps = [packed.extractfile(one).read().decode("utf-8") for one in members]
    assert len(peps) == NUM_PEPS
    told = compare(reviews + peps)
    assert len(told) > 12, told


def test_sets_of_characters_are_datatroves():
    _, (punctuation, terminal), _ = ask_datatrove([])
    ours = load_datatrove_punctuation()
    assert ours.punctuation.nonzero()[0].tolist() == punctuation
    assert ours.terminal.nonzero()[0].tolist() == terminal
    assert ours.datatrove_version == "0.10.0"
    assert len(punctuation) > len(terminal) > 100
