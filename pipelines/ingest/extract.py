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
from dataclasses import dataclass
from typing import Any

from data_contracts.errors import InputError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.page import PageText, meta_json, read_page
from pipelines.ingest.rows import Item, Record, Unreadable

TIMEOUT_SECONDS = 600  # a safety net: it fails the partition and decides no row

_WINDOW_BYTES = 32 << 20  # of pages that one partition has handed out


@dataclass(slots=True)
class Pending:
    """A record whose text is still to be made, by ``read(*args)``, in another process.

    ``record`` is what is known but for its text; ``known`` goes to its ``meta``. ``num_bytes`` is
    about what the arguments take in memory.
    """

    record: Record
    read: Callable[..., PageText]
    args: tuple[Any, ...]
    known: dict[str, Any]
    num_bytes: int


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

    Some pages are handed out ahead, as many as keep all cores busy; a page without text becomes
    an `Unreadable`.

    Raises:
        InputError: if a page takes over `TIMEOUT_SECONDS` or its process dies.
    """
    pool = _POOLS.pool()
    if pool is None:
        yield from (_in_place(item) for item in items)
        return
    window = 2 * _num_cores() + 2
    waiting: deque[tuple[Item | Pending, Future[PageText] | None]] = deque()
    num_bytes = 0
    try:
        for item in items:
            waiting.append((item, _hand_out(pool, item)))
            num_bytes += _size(item)
            while waiting and (len(waiting) > window or num_bytes > _WINDOW_BYTES):
                num_bytes -= _size(waiting[0][0])
                yield _take(waiting.popleft())
        while waiting:
            yield _take(waiting.popleft())
    finally:
        for _, future in waiting:
            if future is not None:
                future.cancel()


def _size(item: Item | Pending) -> int:
    return item.num_bytes if isinstance(item, Pending) else 0


def _in_place(item: Item | Pending) -> Item:
    if not isinstance(item, Pending):
        return item
    try:
        return _record(item, item.read(*item.args))
    except ValueError as error:
        return _failed(item.record, error)


def _hand_out(pool: ProcessPoolExecutor, item: Item | Pending) -> Future[PageText] | None:
    if not isinstance(item, Pending):
        return None
    try:
        return pool.submit(item.read, *item.args)
    except RuntimeError as error:  # broken, or shut down for a page of another partition
        raise _dead(item.record) from error


def _take(handed_out: tuple[Item | Pending, Future[PageText] | None]) -> Item:
    item, future = handed_out
    if not isinstance(item, Pending):
        return item
    assert future is not None
    try:
        return _record(item, future.result(TIMEOUT_SECONDS))
    except ValueError as error:
        return _failed(item.record, error)
    except TimeoutError as error:
        raise _too_slow(item.record) from error
    except (BrokenProcessPool, CancelledError) as error:
        raise _dead(item.record) from error


def _record(page: Pending, read: PageText) -> Record:
    page.record.text, page.record.num_repairs = read.text, read.num_repairs
    found = {"encoding": read.encoding, "title": read.title}
    page.record.meta = meta_json(found | page.known)
    return page.record


def _too_slow(record: Record) -> InputError:
    _POOLS.drop()
    return InputError(
        f"{record.origin.uri} at {record.origin.position}: the page took over {TIMEOUT_SECONDS} s; "
        "take it out, or lower ingest.max_page_nodes and run again."
    )


def _failed(record: Record, error: ValueError) -> Unreadable:
    return Unreadable(record.origin, str(error), record.raw, record.key)


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
