from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.shingle_f1 import load_articles, precision_recall, score, shingles
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.page import read_page


def test_runs_are_counted_with_repeats() -> None:
    assert shingles("a b, c d! a b c d") == {
        ("a", "b", "c", "d"): 2, ("b", "c", "d", "a"): 1, ("c", "d", "a", "b"): 1,
        ("d", "a", "b", "c"): 1,
    }  # fmt: skip
    assert shingles("a b") == {("a", "b"): 1}
    assert shingles(" ,") == {}


def test_precision_and_recall_are_of_runs() -> None:
    assert precision_recall("a b c d e", "a b c d e") == (1, 1)
    assert precision_recall("a b c d e", "a b c d x") == (0.5, 0.5)
    assert precision_recall("a b c d e", "a b c d") == (1, 0.5)
    assert precision_recall("a b c d", "") == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("extractor", "least"), [("precise", 0.970), ("fast", 0.935)])
def test_the_extractors_find_the_articles(shared_data: Path, extractor: str, least: float) -> None:
    gold, pages = load_articles(shared_data / "article-extraction")
    config = IngestConfig(extractor=extractor, encoding_errors="repair")
    found = {name: read_page(page, None, config).text for name, page in pages.items()}
    assert len(found) == 91
    assert score(gold, found, gold)[2] >= least
