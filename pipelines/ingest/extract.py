"""Pages to their text, in processes: web pages by an extractor that the recipe names, or wikitext.

What reads pages holds the GIL, so they go to processes that all partitions of this process share.
They are started anew (not forked) and import only what reads pages. Where the process may have no
children (a worker of Dask), or there is one core, pages are read in place.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from data_contracts.errors import InputError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.page import PageText, meta_json, read_page
from pipelines.ingest.rows import Item, Pending, Record, Unreadable

TIMEOUT_SECONDS = 600  # a safety net: it fails the partition and decides no row

_WINDOW_BYTES = 32 << 20  # of pages that one partition has handed out
_BATCH_ITEMS, _BATCH_BYTES = 8, 512 << 10  # that go to a process together

_Read = PageText | str  # what was read, or why nothing was
_HandedOut = tuple[list[Item | Pending], Future[list[_Read]] | None]


def pending_page(
    record: Record,
    data: bytes,
    charset: str | None,
    known: dict[str, Any],
    config: IngestConfig,
) -> Pending:
    """Return a web page that is to be read; ``charset`` is that of its HTTP header."""
    return Pending(record, read_page, (data, charset, config), known, len(data))


def extract_each(items: Iterable[Item | Pending]) -> Iterator[Item]:
    """Yield the items in their order, each page as the record of its text.

    Some pages are handed out ahead, several at a time, as many as keep all cores busy; a page
    without text becomes an `Unreadable`.

    Raises:
        InputError: if pages take over `TIMEOUT_SECONDS` or their process dies.
    """
    pool = _POOLS.pool()
    if pool is None:
        yield from (_in_place(item) for item in items)
        return
    ahead = _Ahead(pool)
    try:
        for item in items:
            ahead.add(item)
            while ahead.is_full():
                yield from ahead.take()
        while ahead.num_items:
            yield from ahead.take()
    finally:
        ahead.cancel()


class _Ahead:
    """Items that were read ahead, in batches: what is taken first was added first."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool, self._window = pool, 2 * _num_cores() + 2
        self._open: list[Item | Pending] = []
        self._open_bytes = self._num_bytes = self.num_items = 0
        self._handed_out: deque[_HandedOut] = deque()

    def add(self, item: Item | Pending) -> None:
        """Take an item to the batch that is open, and hand that out if it is large enough."""
        self._open.append(item)
        self.num_items += 1
        self._open_bytes += _size(item)
        self._num_bytes += _size(item)
        if len(self._open) >= _BATCH_ITEMS or self._open_bytes >= _BATCH_BYTES:
            self._hand_out()

    def is_full(self) -> bool:
        """Return whether enough was handed out."""
        return len(self._handed_out) > self._window or self._num_bytes > _WINDOW_BYTES

    def take(self) -> Iterator[Item]:
        """Yield the items of the first batch, once its pages are read."""
        if not self._handed_out:
            self._hand_out()
        items, future = self._handed_out.popleft()
        self.num_items -= len(items)
        self._num_bytes -= sum(map(_size, items))
        read = iter(_result(items, future) if future else ())
        for item in items:
            yield _finished(item, next(read)) if isinstance(item, Pending) else item

    def cancel(self) -> None:
        """Take back what no process has begun."""
        for _, future in self._handed_out:
            if future is not None:
                future.cancel()

    def _hand_out(self) -> None:
        items, self._open, self._open_bytes = self._open, [], 0
        pages = [item for item in items if isinstance(item, Pending)]
        tasks = [(page.read, page.args) for page in pages]
        try:
            future = self._pool.submit(_read_pages, tasks) if tasks else None
        except RuntimeError as error:  # broken, or shut down for a page of another partition
            raise _dead(pages[0].record) from error
        self._handed_out.append((items, future))


def _read_pages(tasks: list[tuple[Callable[..., PageText], tuple[Any, ...]]]) -> list[_Read]:
    """Read pages in their process; return the text of each, or why there is none."""
    return [_read(read, args) for read, args in tasks]


def _read(read: Callable[..., PageText], args: tuple[Any, ...]) -> _Read:
    try:
        return read(*args)
    except ValueError as error:
        return str(error)


def _in_place(item: Item | Pending) -> Item:
    return _finished(item, _read(item.read, item.args)) if isinstance(item, Pending) else item


def _size(item: Item | Pending) -> int:
    return item.num_bytes if isinstance(item, Pending) else 0


def _result(items: list[Item | Pending], future: Future[list[_Read]]) -> list[_Read]:
    try:
        return future.result(TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise _too_slow(_first_page(items)) from error
    except (BrokenProcessPool, CancelledError) as error:
        raise _dead(_first_page(items)) from error


def _first_page(items: list[Item | Pending]) -> Record:
    return next(item.record for item in items if isinstance(item, Pending))


def _finished(page: Pending, read: _Read) -> Item:
    if isinstance(read, str):
        return Unreadable(page.record.origin, read, page.record.raw, page.record.key)
    return _record(page, read)


def _record(page: Pending, read: PageText) -> Record:
    page.record.text, page.record.num_repairs = read.text, read.num_repairs
    found = {"encoding": read.encoding, "title": read.title, "language": read.language}
    said = {name: value for name, value in found.items() if value is not None}
    page.record.meta = meta_json(page.known | said)
    return page.record


def _too_slow(record: Record) -> InputError:
    _POOLS.drop()
    return InputError(
        f"{record.origin.uri} at {record.origin.position}: the page, or one of the next "
        f"{_BATCH_ITEMS - 1}, took over {TIMEOUT_SECONDS} s; take it out, or lower "
        "ingest.max_page_nodes and run again."
    )


def _dead(record: Record) -> InputError:
    _POOLS.drop()
    origin = record.origin
    return InputError(
        f"{origin.uri} at {origin.position}: a process that extracts pages died there or close by. "
        "If memory ran out, run again with fewer workers or a lower ingest.max_page_bytes; "
        'a script of your own must do its work under `if __name__ == "__main__":`.'
    )


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_start_anew() -> bool:
    """Return whether a new process could import the main module: not where it came by a pipe."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    return path is None or os.path.exists(path)


def _start() -> None:
    """Silence what extractors log about single pages: it is said in quarantine."""
    logging.disable(logging.CRITICAL)


class _Pools:
    """The processes of this process: one pool, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def pool(self) -> ProcessPoolExecutor | None:
        """Return the pool, or None where pages are to be extracted in place."""
        is_daemon = multiprocessing.current_process().daemon
        if is_daemon or _num_cores() == 1 or not _can_start_anew():
            return None
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(_num_cores(), context, _start)
            return self._pool

    def drop(self) -> None:
        """End the processes; the next page starts others."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)


_POOLS = _Pools()
