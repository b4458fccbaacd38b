from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from data_contracts.errors import InputError
from pipelines.ingest import extract
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.extract import Pending, extract_each, pending_page
from pipelines.ingest.rows import Item, Origin, Record, Unreadable

FAST = IngestConfig(extractor="fast")


def page(at: int, body: str | None = None, config: IngestConfig = FAST) -> Pending:
    text = body if body is not None else f"<p>Paragraph {at} of the mill by the river.</p>" * 5
    record = Record(Origin("a.warc", at, "byte"), f"k{at}", "", b"raw")
    return pending_page(record, f"<html><body><article>{text}".encode(), None, {}, config)


def items(count: int) -> Iterator[Item | Pending]:
    for at in range(count):
        if at % 5 == 3:
            yield Unreadable(Origin("a.warc", at, "byte"), "bad", b"")
        else:
            yield page(at, "" if at % 7 == 6 else None)


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract._POOLS, "pool", lambda: None)


def test_items_keep_their_order_and_pages_without_text_are_named() -> None:
    found = list(extract_each(items(40)))
    assert [item.origin.position for item in found] == list(range(40))
    assert found[2].text.count("Paragraph 2 ") == 5
    assert isinstance(found[3], Unreadable)
    assert found[6].error == "fast found no text on the page"
    assert found[6].key == "k6"


def test_where_there_may_be_no_processes_the_same_comes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_processes = list(extract_each(items(40)))
    monkeypatch.setattr(extract._POOLS, "pool", lambda: None)
    assert list(extract_each(items(40))) == in_processes


def test_a_main_module_that_came_by_a_pipe_needs_no_processes() -> None:
    code = "from pipelines.ingest.extract import _POOLS; print(_POOLS.pool())"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("None\n", 0), done.stderr


def test_no_more_than_a_window_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    num_taken = 0

    def counted() -> Iterator[Pending]:
        nonlocal num_taken
        for at in range(100):
            num_taken += 1
            yield page(at)

    monkeypatch.setattr(extract, "_WINDOW_BYTES", 3 * len(page(10).args[0]))
    each = extract_each(counted())
    next(each)
    assert num_taken <= 5


def test_a_page_that_takes_for_ever_fails_the_partition_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = SimpleNamespace(submit=lambda *_: Future(), shutdown=lambda **_: None)
    monkeypatch.setattr(extract._POOLS, "pool", lambda: pool)
    monkeypatch.setattr(extract, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(
        InputError, match=r"a\.warc at 7: the page, or one of the next 7, took over"
    ):
        list(extract_each([page(7)]))


def test_a_process_that_dies_fails_the_partition_and_the_next_page_finds_another() -> None:
    assert len(list(extract_each([page(0)]))) == 1
    pool = extract._POOLS.pool()
    assert pool is not None
    for process in list(pool._processes.values()):
        process.kill()
    time.sleep(0.2)
    with pytest.raises(InputError, match=r"a\.warc at 1: a process that extracts pages died"):
        list(extract_each([page(1)]))
    assert len(list(extract_each([page(2)]))) == 1


@pytest.mark.parametrize("extractor", ["precise", "fast"])
def test_a_text_does_not_depend_on_what_was_extracted_before(
    extractor: str, in_place: None
) -> None:
    shared = (
        "<p>This very paragraph stands on each of the pages, word for word, as menus do.</p>" * 4
    )
    bodies = [
        f"<article><h1>{at}</h1>{shared}<p>Only on page {at}.</p></article>" for at in range(12)
    ]
    config = IngestConfig(extractor=extractor)
    orders = [list(range(12)) * 2 for _ in range(3)]
    texts: dict[int, set[str]] = {at: set() for at in range(12)}
    for seed, order in enumerate(orders):
        random.Random(seed).shuffle(order)
        for item in extract_each([page(at, bodies[at], config) for at in order]):
            texts[item.origin.position].add(item.text)
    assert [len(found) for found in texts.values()] == [1] * 12
