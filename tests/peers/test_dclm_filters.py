"""dclm's own tests of its filters, answered by our dialect, and its filters beside ours.

Set MILLRACE_DCLM_CHECKOUT to a folder with dclm's ``baselines`` and ``tests``. The comparison with
its code also needs nltk, uniseg and fastText (``pip install nltk uniseg fasttext-wheel``).
"""

import importlib.util
import os
import random
import sys
import types
from collections import Counter
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.uniseg_words import uniseg_words
from pipelines.policies import dclm
from pipelines.signals import characters, dclm_gopher, words
from pipelines.signals.family import SignalsConfig

pytestmark = pytest.mark.peer
CHECKOUT = Path(os.environ.get("MILLRACE_DCLM_CHECKOUT", "."))
FILTERS = "baselines/mappers/filters"
FAMILIES = (characters.FAMILY, words.FAMILY, dclm_gopher.FAMILY)

# Their tests of filters that the dialect has: how many calls we answer, and how many we leave open.
OURS = {
    "test_repetition_filter": (34, 0),
    "test_massive_web_repetition_filters": (400, 0),
    "test_page_length_filter": (43, 23),
    "test_ellipsis_count_filter": (15, 0),
    "test_bullet_count_filter": (80, 0),
    "test_stop_word_filter": (6, 0),
    "test_word_length_filter": (6, 0),
    "test_symbol_ratio_filter": (7, 0),
    "test_alphabetic_word_ratio_filter": (5, 0),
}
NOT_OURS = {
    "test_github_extension_filter": "names of files; of RedPajama's recipe for GitHub",
    "test_line_length_filters": "of RedPajama's recipe for GitHub",
    "test_alphanumeric_char_ratio_filter": "of RedPajama's recipe for GitHub",
    "test_alphabetic_characters_to_tokens_filter": "tokens of a model's tokenizer",
    "test_substring_filter": "patterns that the caller gives",
    "test_word_removal_ratio_filter": "compares with a count from before an edit",
}


def signals_of(text):
    values: dict = {}
    for family in FAMILIES:
        values |= family.measure(text_batch(pa.array([text])), SignalsConfig())
    return values


@cache
def holds(text, condition):
    with duckdb.connect() as connection:
        connection.register("row", pa.table(signals_of(text)))
        ((answer,),) = connection.sql(f"SELECT {condition} FROM row").fetchall()
    return answer


class Filters:
    """Takes the place of dclm's module of filters; what the dialect cannot say is left open."""

    def __init__(self):
        self.answered = self.left_open = 0

    def answer(self, page, *conditions):
        if not isinstance(page["text"], str):
            raise TypeError("The text is no string.")
        self.answered += 1
        is_dropped = holds(page["text"], " OR ".join(f"({condition})" for condition in conditions))
        return [] if is_dropped else [page]

    def repetition_filter(self, page, granularity, max_fraction, count_characters=True):
        condition = dclm.repetition(granularity, max_fraction, count_characters)
        return self.answer(page, "num_chars = 0", condition)

    def massive_web_repetition_filters(self, page):
        rules = [rule for rule in dclm.DIALECT.rules if "massive_web" in rule.source]
        assert len(rules) == 13
        return self.answer(page, *(rule.condition for rule in rules))

    def page_length_filter(self, page, length_type, min_length=1, max_length=1e18, **options):
        units = {"line": "num_dclm_lines", "paragraph": "num_dclm_paragraphs", "char": "num_chars"}
        if length_type in units:
            return self.answer(page, f"{units[length_type]} < {min_length}")
        text = page["text"]
        if not isinstance(text, str):
            raise TypeError("The text is no string.")
        if length_type == "word" and options == {"ignore_punctuation": True}:
            return self.answer(page, dclm.page_length(min_length, max_length))
        if length_type == "word" and options == {"ignore_punctuation": True, "model": "uniseg"}:
            self.answered += 1
            num_words = text_batch(pa.array([text])).words(uniseg_words).starts.size
            return [] if num_words < min_length else [page]
        self.left_open += 1  # sentences of a model; words with marks
        return Anything()

    def ellipsis_count_filter(self, page, max_ellipsis_end_ratio):
        return self.answer(page, dclm.ellipsis_count(max_ellipsis_end_ratio))

    def bullet_count_filter(self, page, max_bullet_start_ratio):
        return self.answer(page, dclm.bullet_count(max_bullet_start_ratio))

    def stop_word_filter(self, page, count_unique, min_stop_word):
        return self.answer(page, dclm.stop_word(min_stop_word, count_unique))

    def word_length_filter(self, page, min_length=0, max_length=1e18):
        return self.answer(page, dclm.word_length(min_length, max_length))

    def symbol_ratio_filter(self, page, max_symbol_to_word_ratio):
        return self.answer(page, dclm.symbol_ratio(max_symbol_to_word_ratio))

    def alphabetic_word_ratio_filter(self, page, max_ratio):
        return self.answer(page, dclm.alphabetic_word_ratio(max_ratio))


class Anything:
    """The answer that is left open: equal to every expected one."""

    __hash__ = None

    def __eq__(self, other):
        return True


def add_modules(monkeypatch, **parts):
    for path, members in parts.items():
        module = types.ModuleType(path.replace("__", "."))
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def load(name, path):
    if not path.is_file():
        pytest.skip(f"MILLRACE_DCLM_CHECKOUT names no folder with {path.relative_to(CHECKOUT)}")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def filters():
    return Filters()


@pytest.fixture
def their_tests(filters, monkeypatch):
    ours = {name: getattr(filters, name) for name in dir(filters) if "_filter" in name}
    no_mark = types.SimpleNamespace(timeout=lambda seconds: lambda test: test)
    add_modules(
        monkeypatch,
        pytest={"raises": pytest.raises, "mark": no_mark},
        baselines={},
        baselines__core={},
        baselines__core__constants={"CONTENT": "text"},
        baselines__mappers={},
        baselines__mappers__filters=ours,
    )
    return load("dclm_tests", CHECKOUT / "tests" / FILTERS / "test_content_filters.py")


def test_each_of_their_tests_is_run_or_set_aside(their_tests):
    theirs = {name for name in vars(their_tests) if name.startswith("test_")}
    assert theirs == {*OURS, *NOT_OURS}


@pytest.mark.parametrize("name", OURS)
def test_theirs(filters, their_tests, name):
    getattr(their_tests, name)()
    assert (filters.answered, filters.left_open) == OURS[name]


PIECES = [
    "the ",
    "and ",
    "cat ",
    "don't ",
    "1 ",
    "#",
    "...",
    ". . .",
    "…",
    "- ",
    "● ",
    "x2\n",
    "中文",
]
PIECES += [
    "\n",
    "\n\n",
    " \t",
    "(so) ",
    "e.g. ",
    "3.14 ",
    "ɑ\u0301 ",
    "of ",
    "longestword ",
    "yes-no ",
]


def some_texts(num_texts):
    """Return texts long enough to reach every rule, half of them made of few words."""
    generator = random.Random(0)
    names = [f"name{number} " for number in range(300)]
    texts = ["", " ", "\n"]
    for _ in range(num_texts // 2):
        pieces = [*generator.sample(PIECES, generator.randint(1, 6)), "the cat and a dog "]
        pieces += generator.sample(names, generator.randint(1, 200))
        texts.append("".join(generator.choices(pieces, k=generator.randint(40, 260))))
    for _ in range(num_texts // 2):
        line = "".join(generator.sample(names, 8)) + "to be\n"
        own = generator.sample(names, generator.randint(50, 250))
        for _ in range(generator.randint(0, 12)):
            own.insert(generator.randrange(len(own)), generator.choice([*PIECES, line]))
        texts.append("of " + "".join(own))
    return texts


@pytest.fixture
def their_filters(monkeypatch):
    for name in ("nltk", "uniseg", "fasttext"):
        pytest.importorskip(name)
    add_modules(
        monkeypatch,
        transformers={"AutoTokenizer": None},
        unidecode={"unidecode": None},
        core={},
        core__constants={"CONTENT": "text"},
        core__factory_utils={"factory_function": lambda function: function},
        baselines={},
        baselines__mappers={},
    )
    core_utils = load("dclm_core_utils", CHECKOUT / "baselines/mappers/core_utils.py")
    monkeypatch.setitem(sys.modules, "baselines.mappers.core_utils", core_utils)
    return load("dclm_filters", CHECKOUT / FILTERS / "content_filters.py")


def reason_of_theirs(filters, text):
    """Return the first of dclm's filters that drops a page, in the order of its recipe."""
    page = {"text": text}
    steps = (
        lambda: filters.page_length_filter(
            page, "word", min_length=50, max_length=100_000, ignore_punctuation=True
        ),
        lambda: filters.word_length_filter(page, min_length=3, max_length=10),
        lambda: filters.symbol_ratio_filter(page, max_symbol_to_word_ratio=0.1),
        lambda: filters.bullet_count_filter(page, max_bullet_start_ratio=0.9),
        lambda: filters.ellipsis_count_filter(page, max_ellipsis_end_ratio=0.3),
        lambda: filters.alphabetic_word_ratio_filter(page, max_ratio=0.2),
        lambda: filters.stop_word_filter(page, count_unique=False, min_stop_word=2),
    )
    for rule, step in zip(dclm.DIALECT.rules, steps, strict=False):
        if not step():
            return rule.reason
    cache: dict = {}
    kinds = [("line", 0.3, False), ("paragraph", 0.3, False), ("line", 0.2, True)]
    kinds += [("paragraph", 0.2, True)]
    kinds += [(size, 0.2 - 0.02 * (size > 2) - 0.02 * (size > 3), True) for size in (2, 3, 4)]
    kinds += [(size, (20 - size) / 100, True) for size in range(5, 11)]
    for rule, (kind, most, chars) in zip(dclm.DIALECT.rules[len(steps) :], kinds, strict=True):
        if not filters.repetition_filter(page, kind, most, count_characters=chars, cache=cache):
            return rule.reason
    assert filters.massive_web_repetition_filters(page)
    return None


def reasons_of_ours(texts):
    batch = text_batch(pa.array(texts))
    values: dict = {}
    for family in FAMILIES:
        values |= family.measure(batch, SignalsConfig())
    cases = " ".join(f"WHEN {rule.condition} THEN '{rule.reason}'" for rule in dclm.DIALECT.rules)
    with duckdb.connect() as connection:
        connection.register("signals", pa.table(values | {"row": range(len(texts))}))
        rows = connection.sql(f"SELECT CASE {cases} END FROM signals ORDER BY row").fetchall()
    return [reason for (reason,) in rows]


def test_decisions_are_those_of_their_code(their_filters):
    texts = some_texts(400)
    theirs = [reason_of_theirs(their_filters, text) for text in texts]
    assert reasons_of_ours(texts) == theirs
    assert len(Counter(theirs)) > 10, Counter(theirs)


def test_words_are_those_of_uniseg():
    uniseg = pytest.importorskip("uniseg.wordbreak")
    for text in some_texts(100):
        batch = text_batch(pa.array([text]))
        found = batch.words(uniseg_words)
        spans = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
        expected = [word for word in uniseg.words(text) if word[0].isalnum()]
        assert [text[start:end] for start, end in spans] == expected
