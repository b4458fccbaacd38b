"""C4's edit and dialects against the filters of datatrove 0.10 themselves."""

import io
import json
import random
import re
import subprocess
import tarfile
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import zstandard

from pipelines.edits.registry import edit_named
from pipelines.kernels.cache import use_cache_dir
from pipelines.kernels.decoded import text_batch
from pipelines.policies.c4 import DIALECTS
from pipelines.signals.c4 import FAMILY
from pipelines.signals.family import SignalsConfig

pytestmark = pytest.mark.peer

REPOSITORY = Path(__file__).parents[2]
PYTHON = REPOSITORY / ".venv-peers" / "bin" / "python"
NUM_TEXTS = 3000
RULES = {dialect.name: dialect.rules for dialect in DIALECTS}
REASONS = {"lorem_ipsum", "curly_bracket", "too_few_sentences", None}

PROGRAM = """
import importlib.metadata, json, sys
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4ParagraphFilter, C4QualityFilter

assert importlib.metadata.version("datatrove") == "0.10.0"
filters = {
    "c4": C4QualityFilter(),
    "c4_any_ending": C4QualityFilter(filter_no_terminal_punct=False),
    "c4_paragraphs": C4ParagraphFilter(),
}
texts = json.load(sys.stdin)
answers = {name: [] for name in filters}
for name, one in filters.items():
    for text in texts:
        document = Document(text=text, id="")
        kept = one.filter(document)
        reason = None if kept is True else kept[1]
        answers[name].append([reason, document.text])
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module", autouse=True)
def cache_kernels(request):
    use_cache_dir(request.config.rootpath / ".pytest_cache" / "kernels")


@pytest.fixture(scope="module")
def ask_datatrove():
    """Return what asks datatrove's filters of texts: for each its reason or None, and its text."""
    if not PYTHON.exists():
        pytest.skip(".venv-peers is not there; make peers")

    def ask(texts):
        done = subprocess.run(
            [PYTHON, "-c", PROGRAM], input=json.dumps(texts), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return ask


@pytest.fixture
def generated_texts(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "tests" / "pipelines")
    from c4_texts import random_text

    choose = random.Random(20240610)
    return [random_text(choose) for _ in range(2 * NUM_TEXTS)]


def reasons_of(dialect, columns):
    """Return for each row the reason of the first rule that holds, without its ``c4.``."""
    whens = " ".join(f"WHEN {rule.condition} THEN '{rule.reason}'" for rule in RULES[dialect])
    table = pa.table(dict(columns))
    with duckdb.connect() as connection:
        connection.register("signals", table)
        rows = connection.sql(f"SELECT CASE {whens} END FROM signals").fetchall()
    return [reason and reason.removeprefix("c4.") for (reason,) in rows]


def edited_by(name, texts):
    edited = edit_named(f"{name}@datatrove-0.10").edit(text_batch(pa.array(texts, pa.string())))
    data, offsets = edited.texts.data, edited.texts.offsets.tolist()
    return [data[a:b].tobytes().decode() for a, b in pairwise(offsets)], edited.facts


def compare(texts, answers):
    """Assert that all texts are decided and edited as by datatrove; return what was decided."""
    decided = Counter()
    for dialect, edit in (("c4", "c4_lines"), ("c4_any_ending", "c4_lines_any_ending")):
        edited, facts = edited_by(edit, texts)
        reasons = reasons_of(f"{dialect}@datatrove-0.10", facts)
        ours = [[reason, text] for reason, text in zip(reasons, edited, strict=True)]
        theirs = answers[dialect]
        different = [
            (text, our, their)
            for text, our, their in zip(texts, ours, theirs, strict=True)
            if our != their
        ]
        assert not different, (dialect, len(different), different[:3])
        decided.update((dialect, reason) for reason in reasons)
        decided[dialect, "edited"] = sum(a != b for a, b in zip(texts, edited, strict=True))
    signals = FAMILY.measure(text_batch(pa.array(texts, pa.string())), SignalsConfig())
    reasons = reasons_of("c4_paragraphs@datatrove-0.10", signals)
    theirs = [reason and "few_paragraphs" for reason, _ in answers["c4_paragraphs"]]
    assert reasons == theirs
    decided.update(("c4_paragraphs", reason) for reason in reasons)
    return decided


def test_generated_texts(ask_datatrove, generated_texts):
    decided = compare(generated_texts, ask_datatrove(generated_texts))
    for dialect in ("c4", "c4_any_ending"):
        for outcome in (*REASONS, "edited"):
            assert decided[dialect, outcome] > 20, (dialect, outcome, decided)


def test_paragraphs(ask_datatrove):
    choose = random.Random(7)
    lengths = [0, 198, 199, 200, 201, 400]
    texts = [
        choose.choice("\n\r").join("é" * choose.choice(lengths) for _ in range(choose.randrange(6)))
        for _ in range(NUM_TEXTS)
    ]
    decided = compare(texts, ask_datatrove(texts))
    assert min(decided["c4_paragraphs", None], decided["c4_paragraphs", "few_paragraphs"]) > 20


def reviews(folder):
    packed = next((folder / "imdb-unsup").glob("*.jsonl.zst"))
    with packed.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        for line in io.TextIOWrapper(reader, encoding="utf-8"):
            yield json.loads(line)["text"].replace("<br />", "\n")


def articles(folder):
    packed = next((folder / "wikipedia-en").glob("*.tar.xz"))
    with tarfile.open(packed) as archive:
        for member in archive:
            text = archive.extractfile(member).read().decode()
            for body in re.findall(r"(?s)<doc [^\n]*>\n(.*?)\n</doc>", text):
                if len(body) > 400:
                    yield body


@pytest.mark.parametrize("read", [reviews, articles])
def test_real_texts(ask_datatrove, shared_data, read):
    texts = list(islice(read(shared_data), NUM_TEXTS))
    assert len(texts) == NUM_TEXTS
    decided = compare(texts, ask_datatrove(texts))
    assert decided["c4", None] > 100, decided
