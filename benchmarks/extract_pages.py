"""How well and how fast extractors find the text of articles.

    python -m benchmarks.extract_pages DATA

DATA is the folder ``article-extraction``: pages of the benchmark of that name, with the text of
each article as people marked it. Columns: precision, recall and F1 (`benchmarks.shingle_f1`) of all
pages; F1 of the half on which ours were chosen (even ids, as hexadecimal numbers) and of the other;
pages per second of CPU time of one core. Ours are `precise` and `fast`, with the checks that a page
passes first. An extractor that cannot run here is left out.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.shingle_f1 import load_articles, score
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.page import read_page

Extract = Callable[[bytes], str]


def ours(extractor: str) -> Extract:
    """Return one of ours."""
    config = IngestConfig(extractor=extractor, encoding_errors="repair")

    def extract(page: bytes) -> str:
        try:
            return read_page(page, None, config).text
        except ValueError:
            return ""

    return extract


def trafilatura(**options: bool) -> Extract:
    """Return trafilatura, comments left out."""
    from trafilatura import extract

    return lambda page: (
        extract(page.decode("utf-8", "replace"), include_comments=False, **options) or ""
    )


def resiliparse(**options: bool) -> Extract:
    """Return Resiliparse's main content."""
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page: extract_plain_text(
        page.decode("utf-8", "replace"), main_content=True, preserve_formatting=True, **options
    )


def justext() -> Extract:
    """Return jusText with its English words."""
    import justext

    words = justext.get_stoplist("English")
    return lambda page: "\n".join(
        paragraph.text for paragraph in justext.justext(page, words) if not paragraph.is_boilerplate
    )


EXTRACTORS: dict[str, Callable[[], Extract]] = {
    "precise": lambda: ours("precise"),
    "fast": lambda: ours("fast"),
    "trafilatura": trafilatura,
    "trafilatura favor_precision": lambda: trafilatura(favor_precision=True),
    "trafilatura favor_recall": lambda: trafilatura(favor_recall=True),
    "trafilatura fast": lambda: trafilatura(fast=True),
    "resiliparse main": resiliparse,
    "resiliparse main, no alt, links, comments": lambda: resiliparse(
        alt_texts=False, links=False, comments=False
    ),
    "jusText": justext,
}


def main() -> None:
    """Print a line for each extractor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    logging.disable(logging.CRITICAL)
    gold, pages = load_articles(parser.parse_args().data)
    chosen_on = {name for name in pages if int(name, 16) % 2 == 0}
    print(f"{len(pages)} pages, {len(chosen_on)} of them the half that ours were chosen on")
    print(f"{'':42} P     R     F1    chosen other pages/s")
    for name, make in EXTRACTORS.items():
        try:
            extract = make()
            extract(next(iter(pages.values())))
        except Exception as error:
            print(f"{name:42} cannot run here: {error}")
            continue
        start = time.process_time()
        found = {page: extract(data) for page, data in pages.items()}
        pages_per_second = len(pages) / (time.process_time() - start)
        precision, recall, f1 = score(gold, found, pages)
        halves = [score(gold, found, ids)[2] for ids in (chosen_on, pages.keys() - chosen_on)]
        row = " ".join(f"{value:.3f}" for value in (precision, recall, f1, *halves))
        print(f"{name:42} {row} {pages_per_second:8.1f}", flush=True)


if __name__ == "__main__":
    main()
