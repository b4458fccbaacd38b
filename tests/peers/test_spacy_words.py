"""Our words and sentences beside those of spaCy and datatrove themselves, in ``.venv-peers``.

Real text is compared where MILLRACE_SHARED_DATA names the folder of public test collections.
"""

import io
import itertools
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers/bin/python"
STRINGS = ROOT / "tests/pipelines/spacy_strings.py"
sys.path.insert(0, str(STRINGS.parent))

from spacy_strings import CHOSEN, TABLE_PATH, ask_ours, edge_strings, hard_strings  # noqa: E402

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.exists(), reason="spaCy and datatrove are not in .venv-peers"),
]
DATATROVE = """
import importlib.metadata, json, sys  # datatrove forgets the first
from datatrove.utils.word_tokenizers import load_word_tokenizer
asked = load_word_tokenizer("en")
texts = json.load(sys.stdin)
answers = [[" ".join(asked.word_tokenize(t)), len(asked.sent_tokenize(t))] for t in texts]
json.dump(answers, sys.stdout)
"""


def ask(arguments, texts):
    done = subprocess.run(
        [PYTHON, *arguments], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def assert_same(texts, answers):
    compared = zip(texts, answers, ask_ours(texts), strict=True)
    differing = [(text[:300], theirs, ours) for text, theirs, ours in compared if theirs != ours]
    assert not differing, f"{len(differing)} of {len(texts)}, first {differing[0]}"


def assert_spacy_agrees(texts):
    assert_same(texts, ask([STRINGS], texts))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_hard_strings(seed):
    assert_spacy_agrees(hard_strings(20_000, seed))


def test_every_class_of_characters():
    assert_spacy_agrees(edge_strings())


def test_datatrove():
    texts = CHOSEN + hard_strings(3_000, 14)
    assert_same(texts, ask(["-c", DATATROVE], texts))


def test_the_table_is_that_of_the_installed_spacy(tmp_path):
    path = tmp_path / "table.npz"
    program = "import sys; from pathlib import Path; from tools import build_spacy_table"
    program += "; build_spacy_table.build(Path(sys.argv[1]))"
    subprocess.run([PYTHON, "-c", program, path], cwd=ROOT, check=True)
    with np.load(path) as built, np.load(TABLE_PATH) as kept:
        assert built.files == kept.files
        for name in built.files:
            assert np.array_equal(built[name], kept[name]), name


def test_film_reviews(shared_data):
    path = shared_data / "imdb-unsup/imdb_unsup.jsonl.zst"
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, 3_000)]
    assert len(texts) == 3_000
    assert_spacy_agrees(texts)


def test_encyclopedia(shared_data):
    with tarfile.open(shared_data / "wikipedia-en/wikiextractor_en_2018.tar.xz") as archive:
        member = next(member for member in archive if member.isfile())
        texts = archive.extractfile(member).read().decode("utf-8").split("</doc>")
    assert len(texts) > 1_000
    assert_spacy_agrees(texts)


def test_books(shared_data):
    texts = []
    with tarfile.open(shared_data / "gutenberg-books/gutenberg_books.tar.xz") as archive:
        for member in itertools.islice((m for m in archive if m.isfile()), 4):
            book = io.TextIOWrapper(archive.extractfile(member), "utf-8", "replace", newline="")
            texts.append(book.read())
    assert sum(map(len, texts)) > 500_000
    assert_spacy_agrees(texts)
    lines = "".join(texts).splitlines()
    assert_spacy_agrees(lines[:40_000])
