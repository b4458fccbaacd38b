"""datatrove's own tests of its filters, answered by our dialects.

Set MILLRACE_DATATROVE_CHECKOUT to a folder with datatrove's ``tests``. Filters with other settings
than the dialect's are its rules with other thresholds.
"""

import os
import re
import sys
import types
import unittest
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines.apply_policy import PolicyConfig, signals_asked
from pipelines.compute_signals import measure_batch
from pipelines.edits.registry import edit_named
from pipelines.kernels.c4_lines import LineRules, join_lines, keep_lines
from pipelines.kernels.decoded import text_batch
from pipelines.policies.dialects import dialect_named
from pipelines.signals.family import SignalsConfig
from pipelines.signals.lists_config import ListsConfig
from pipelines.signals.registry import FAMILIES

pytestmark = pytest.mark.peer
CHECKOUT = Path(os.environ.get("MILLRACE_DATATROVE_CHECKOUT", "."))
TESTS = "tests/pipeline/filters/test_filters.py"
EDIT = "c4_lines@datatrove-0.10"

OURS = {  # their tests of filters that we have: how many answers they ask of us
    "test_gopher_repetition": 8,
    "test_gopher_quality": 7,
    "test_url": 8,
    "TestC4QualityFilter": 5,
    "TestC4ParagraphFilter": 2,
    "TestFineWebQualityFilter": 5,
}
NOT_OURS = {
    "test_lambda": "a function that the caller gives",
    "test_language": "a fastText model, which is not shipped",
    "test_regex": "a pattern that the caller gives",
    "test_unigram_prob": "a table of counts that is downloaded",
    "TestSamplerFilter": "a share of the documents, drawn",
    "TestBaseFilterRunPipeline": "their pipeline's statistics",
}
SETTINGS = {  # a filter's setting: the reason of the rule that it is the threshold of
    "min_doc_words": "gopher.short_doc",
    "max_doc_words": "gopher.long_doc",
    "line_punct_thr": "fineweb.line_punct_ratio",
    "short_line_thr": "fineweb.short_line_ratio",
    "new_line_ratio": "fineweb.list_ratio",
}
answered: list[str] = []


class Document:
    """What their tests make."""

    def __init__(self, text, id, metadata=None):
        self.text, self.id, self.metadata = text, id, metadata or {}


class Policy:
    """A filter that asks a dialect, with the thresholds that settings name."""

    dialect = ""
    lists = ListsConfig()

    def __init__(self, **settings):
        self.rules = []
        for rule in dialect_named(self.dialect).rules:
            changed = [n for n in settings if SETTINGS.get(n) == rule.reason]
            condition = rule.condition
            if changed:
                condition = re.sub(r"[\d.]+$", str(settings[changed[0]]), condition)
            self.rules.append((rule.reason, condition))

    def filter(self, document):
        answered.append(document.text)
        for reason, condition in self.rules:
            if self.holds(document, reason, condition):
                return False, reason.rpartition(".")[2]
        return True

    __call__ = filter

    def holds(self, document, reason, condition):
        ((names,),) = [signals_asked(((reason, condition),))]
        families = [f for f in FAMILIES if {x.name for x in f.fields} & {*[names], *self.names}]
        url = pa.array([document.metadata.get("url")], pa.string())
        batch = text_batch(pa.array([document.text]), {"url": url})
        values = measure_batch(batch, families, SignalsConfig(lists=self.lists))
        values |= self.facts(batch)
        with duckdb.connect() as connection:
            connection.register("row", pa.table(values))
            ((answer,),) = connection.sql(f"SELECT {condition} FROM row").fetchall()
        return answer

    @property
    def names(self):
        rules = PolicyConfig(rules=tuple(self.rules)).all_rules()
        return {name for asked in signals_asked(rules) for name in asked}

    def facts(self, batch):
        return {}


class GopherRepetitionFilter(Policy):
    dialect = "gopher_repetition@datatrove-0.10"


class GopherQualityFilter(Policy):
    dialect = "gopher_quality@datatrove-0.10"

    def filter(self, document):
        found = super().filter(document)
        return found if found is True else (False, f"gopher_{found[1]}")

    __call__ = filter


class FineWebQualityFilter(Policy):
    dialect = "fineweb@datatrove-0.10"


class C4ParagraphFilter(Policy):
    dialect = "c4_paragraphs@datatrove-0.10"


class C4QualityFilter(Policy):
    dialect = "c4@datatrove-0.10"

    def __init__(self, min_words_per_line=3, **settings):
        super().__init__(**settings)
        self.min_words = min_words_per_line

    def facts(self, batch):
        return edit_named(EDIT).edit(batch).facts

    def filter(self, document):
        batch = text_batch(pa.array([document.text]))
        if self.min_words < 0:  # whatever the sentences are, the lines are edited
            answered.append(document.text)
            lines = keep_lines(batch.codes, LineRules(1, any_ending=False))
            texts = join_lines(batch.buffers, lines, np.array([True]))
        else:
            found = super().filter(document)
            if found is not True:
                return found
            texts = edit_named(EDIT).edit(batch).texts
        document.text = texts.data[texts.offsets[0] : texts.offsets[1]].tobytes().decode()
        return True


class URLFilter(Policy):
    dialect = "urls@datatrove-0.10"
    folder = Path()

    def __init__(self, extra_domains):
        super().__init__()
        path = self.folder / "domains.txt"
        path.write_text("\n".join(extra_domains))
        self.lists = ListsConfig(blocked_domains=str(path))


class Absent:
    """A filter that we do not have."""


def load_tests(folder, patch):
    """Return their tests, with our filters in the place of theirs."""
    URLFilter.folder = folder
    ours = (GopherQualityFilter, GopherRepetitionFilter, URLFilter)
    names = ("LambdaFilter", "LanguageFilter", "RegexFilter", "UnigramLogProbFilter")
    filters = {**{one.__name__: one for one in ours}, **dict.fromkeys(names, Absent)}
    stand_ins = {
        "datatrove.data": {"Document": Document},
        "datatrove.pipeline.filters": filters,
        "datatrove.pipeline.filters.c4_filters": {
            "C4ParagraphFilter": C4ParagraphFilter,
            "C4QualityFilter": C4QualityFilter,
        },
        "datatrove.pipeline.filters.fineweb_quality_filter": {
            "FineWebQualityFilter": FineWebQualityFilter
        },
        "datatrove.pipeline.filters.sampler_filter": {"SamplerFilter": Absent},
        "theirs.utils": {
            name: lambda test: test
            for name in ("require_fasttext", "require_nltk", "require_tldextract")
        },
    }
    for package in ("datatrove", "datatrove.pipeline", "theirs", "theirs.a", "theirs.a.b"):
        patch.setitem(sys.modules, package, types.ModuleType(package))
    for name, members in stand_ins.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        patch.setitem(sys.modules, name, module)
    module = types.ModuleType("theirs.a.b.test_filters")
    module.__package__ = "theirs.a.b"
    exec(compile((CHECKOUT / TESTS).read_text(), TESTS, "exec"), module.__dict__)
    return module


@pytest.mark.skipif(
    not (CHECKOUT / TESTS).is_file(), reason="MILLRACE_DATATROVE_CHECKOUT names no datatrove"
)
def test_their_tests_of_filters_pass(tmp_path, monkeypatch):
    module = load_tests(tmp_path, monkeypatch)
    loaded = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = [test for suite in loaded for test in suite]
    found: dict[str, int] = {}
    for test in tests:
        _, name, method = test.id().rsplit(".", 2)
        known = method if method in {*OURS, *NOT_OURS} else name
        assert known in {*OURS, *NOT_OURS}, test.id()
        if known in NOT_OURS:
            continue
        answered.clear()
        result = unittest.TestResult()
        test.run(result)
        assert result.testsRun == 1
        assert not result.failures + result.errors, (result.failures + result.errors)[0][1]
        found[known] = found.get(known, 0) + len(answered)
    assert found == OURS
