"""dolma's own tests of its Gopher tagger, answered by our signals.

Set MILLRACE_DOLMA_CHECKOUT to a folder with dolma's ``tests/python/test_gopher.py``.
"""

import importlib.util
import os
import sys
import types
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.signals import characters, dolma_gopher, words
from pipelines.signals.family import SignalsConfig

pytestmark = pytest.mark.peer
CHECKOUT = os.environ.get("MILLRACE_DOLMA_CHECKOUT")
TESTS = Path(CHECKOUT or ".") / "tests/python/test_gopher.py"
NAMES = [
    "test_predict_multiline",
    "test_predict_short",
    "test_required_word_count",
    "test_word_count_is_whitespace_sep",
]
SIGNALS = {
    "character_count": "num_chars",
    "word_count": "num_words",
    "median_word_length": "median_dolma_word_chars",
    "symbol_to_word_ratio": "dolma_symbol_words_ratio",
    "fraction_of_words_with_alpha_character": "alphabetic_words_ratio",
    "required_word_count": "num_dolma_required_words",
    "fraction_of_lines_starting_with_bullet_point": "dolma_bullet_lines_ratio",
    "fraction_of_lines_ending_with_ellipsis": "dolma_ellipsis_lines_ratio",
    "fraction_of_duplicate_lines": "dolma_duplicate_lines_ratio",
    "fraction_of_characters_in_duplicate_lines": "dolma_duplicate_lines_chars_ratio",
}


def attributes_of(text):
    """Return dolma's attributes of a text in its order; those of n-grams where there are any."""
    values: dict = {}
    for family in (characters.FAMILY, words.FAMILY, dolma_gopher.FAMILY):
        values |= family.measure(text_batch(pa.array([text])), SignalsConfig())
    names = {
        f"fraction_of_characters_in_most_common_{size}grams": f"dolma_top_{size}_gram_chars_ratio"
        for size in (2, 3, 4)
    } | {
        f"fraction_of_characters_in_duplicate_{size}grams": (
            f"dolma_duplicate_{size}_grams_chars_ratio"
        )
        for size in range(5, 11)
    }
    have = dict(list(names.items())[: max(int(values["num_words"][0]) - 1, 0)])
    return {name: float(values[signal][0]) for name, signal in (have | SIGNALS).items()}


class Document(types.SimpleNamespace):
    """A document as dolma's tests make it."""


class Result(types.SimpleNamespace):
    """What dolma's tests read of a tagger's result."""

    def to_json(self):
        whole = {"start": 0, "end": len(self.text), "mention": self.text}
        return {
            "spans": [
                whole | {"type": name, "score": score} for name, score in self.attributes.items()
            ]
        }


class GopherTagger:
    """Takes the place of dolma's."""

    def predict(self, doc):
        return Result(text=doc.text, attributes=attributes_of(doc.text))


@pytest.fixture
def their_tests(monkeypatch):
    if not TESTS.is_file():
        pytest.skip("MILLRACE_DOLMA_CHECKOUT names no folder with tests/python/test_gopher.py")
    parts = {
        "dolma": {},
        "dolma.core": {},
        "dolma.core.data_types": {"Document": Document},
        "dolma.taggers": {},
        "dolma.taggers.gopher": {"GopherTagger": GopherTagger},
    }
    for name, members in parts.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("dolma_test_gopher", TESTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TestGopherTagger


def test_all_their_tests_are_run(their_tests):
    assert sorted(name for name in vars(their_tests) if name.startswith("test")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_theirs(their_tests, name):
    getattr(their_tests(name), name)()
