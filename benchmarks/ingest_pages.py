"""How fast web pages, archives and dumps are read, against the libraries that read them alone.

    python -m benchmarks.ingest_pages DATA [--rounds 3] [--only html|warc|wikipedia]

DATA is the folder of public collections (article-extraction, web-archives, wikipedia-dumps). Each
line is a ratio of two measurements of one round, next to each other in time, so that what else the
machine does touches both.

html: CPU time of a folder of pages, several partitions at once, all processes together, against
that of the extractor alone on decoded pages; and which share of all cores' time was spent (which
says little where others use the machine). Their product is the share of "the extractor's own pages
per second times the cores" that is reached.
warc: records per second of one core, nothing extracted: framed; framed and opened (the records that
are read are parsed and their bodies decoded); FastWARC, every record's bytes read. wikipedia: bytes
of wikitext per second of one core, against ``mwparserfromhell.parse(…).strip_code()``.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import mwparserfromhell
import psutil
from fastwarc.warc import ArchiveIterator

from benchmarks.shingle_f1 import load_articles
from pipelines.ingest import html, warc
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.extract import extract_each
from pipelines.ingest.gzip_members import read_pieces
from pipelines.ingest.page import extract_text
from pipelines.ingest.place import Place
from pipelines.ingest.warc_frames import BEGINS, frame_records
from pipelines.ingest.wikitext import clean_wikitext

NUM_CORES = len(os.sched_getaffinity(0))
ARCHIVES = {
    "crawled pages": (
        "dolma/sample-0000.warc.gz",
        "dolma/sample-0001.warc.gz",
        "commoncrawl-whirlwind/whirlwind.warc.gz",
    ),
    "small records": ("pywb/warcs/iana.warc.gz",),
}


def alone(extractor: str, pages: list[bytes]) -> float:
    """Return seconds of CPU time that the extractor takes for the pages, in one process."""
    texts = [page.decode("utf-8", "replace") for page in pages]
    extract_text(texts[0], extractor)
    start = time.process_time()
    for text in texts:
        extract_text(text, extractor)
    return time.process_time() - start


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it started and that still run."""
    this = psutil.Process()
    times = [process.cpu_times() for process in [this, *this.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


def through_ingest(extractor: str, pages: list[bytes], num_partitions: int) -> tuple[float, float]:
    """Return seconds of CPU time, and of all cores' time, of ingest, partitions abreast."""
    config, step = IngestConfig(extractor=extractor, encoding_errors="repair"), num_partitions

    def read(number: int) -> None:
        facts = {"records_framed": 0}
        places = ((at, Place(str(at), str(at), {})) for at in range(number, len(pages), step))
        opened = (
            html.open_page(io.BytesIO(pages[at]), place, config, facts) for at, place in places
        )
        list(extract_each(page for file in opened for page in file))

    with ThreadPoolExecutor(num_partitions) as threads:
        list(threads.map(read, range(num_partitions)))  # processes are up and have what they need
        cpu, start = cpu_seconds(), time.perf_counter()
        list(threads.map(read, range(num_partitions)))
        return cpu_seconds() - cpu, NUM_CORES * (time.perf_counter() - start)


def measure_html(data: Path, rounds: int) -> None:
    """Print which share of the CPU time is the extractor's own."""
    _, articles = load_articles(data / "article-extraction")
    pages = list(articles.values())
    for extractor, times in (("precise", 1), ("fast", 6)):
        for _ in range(rounds):
            own = alone(extractor, pages * times)
            cpu, wall = through_ingest(extractor, pages * times, 2 * NUM_CORES)
            own = (own + alone(extractor, pages * times)) / 2  # before and after
            print(
                f"html {extractor}: {len(pages) * times / own:.1f} pages/s of a core alone; of the "
                f"CPU time of ingest {own / cpu:.2f} is the extractor's; cores kept busy "
                f"{cpu / wall:.2f}",
                flush=True,
            )


def timed(count: Callable[[], int]) -> float:
    """Return what is counted for each second of CPU time."""
    start = time.process_time()
    return count() / (time.process_time() - start)


def measure_warc(data: Path, rounds: int) -> None:
    """Print records per second of FastWARC, and which share of them ours reaches."""
    config, place = IngestConfig(), Place("a.warc.gz", "a", {})

    def fastwarc(archive: bytes) -> int:
        records = ArchiveIterator(io.BytesIO(archive), parse_http=True)
        return sum(record.reader.read() is not None for record in records)

    def framed(archive: bytes) -> int:
        pieces = read_pieces(io.BytesIO(archive), False, BEGINS)
        return sum(1 for _ in frame_records(pieces, config.max_record_bytes))

    def opened(archive: bytes) -> int:
        facts: dict[str, Any] = {"records_framed": 0}
        num_items = sum(1 for _ in warc.open_records(io.BytesIO(archive), place, config, facts))
        return num_items + sum(facts.get("skipped", {}).values())

    for name, files in ARCHIVES.items():
        members = b"".join((data / "web-archives" / file).read_bytes() for file in files)
        for form, archive in (("gzip", members * 10), ("plain", gzip.decompress(members) * 20)):
            for _ in range(rounds):
                theirs = timed(lambda: fastwarc(archive))  # noqa: B023
                shares = [timed(lambda: count(archive)) / theirs for count in (framed, opened)]  # noqa: B023
                print(
                    f"warc {name}, {form}: FastWARC {theirs:,.0f} records/s; "
                    f"framed {shares[0]:.2f}, opened {shares[1]:.2f} of that",
                    flush=True,
                )


def measure_wikipedia(data: Path, rounds: int) -> None:
    """Print megabytes of wikitext per second, ours and mwparserfromhell's own."""
    texts = []
    for path in sorted((data / "wikipedia-dumps").glob("*.bz2")):
        xml = bz2.decompress(path.read_bytes()).decode()
        texts += [unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", xml, re.DOTALL)]
    num_bytes = sum(len(text.encode()) for text in texts)

    def ours() -> int:
        return num_bytes * bool([clean_wikitext(text, {"file", "category"}) for text in texts])

    def alone() -> int:
        return num_bytes * bool([mwparserfromhell.parse(text).strip_code() for text in texts])

    for _ in range(rounds):
        own, theirs = timed(ours) / 1e6, timed(alone) / 1e6
        print(f"wikipedia: {own:.2f} MB/s, mwparserfromhell alone {theirs:.2f}", flush=True)


MEASURES = {"html": measure_html, "warc": measure_warc, "wikipedia": measure_wikipedia}


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=MEASURES)
    arguments = parser.parse_args()
    for name, measure in MEASURES.items():
        if arguments.only in (None, name):
            measure(arguments.data, arguments.rounds)


if __name__ == "__main__":
    main()
