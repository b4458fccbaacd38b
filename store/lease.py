"""Leases with a heart-beat: of the runs that share a home, one at a time does a piece of work.

A lease is a folder of epochs: ``leases/<name>/<epoch>.json`` tells who took it and is written anew
at each beat, ``<epoch>.released`` says that it was given back. The holder is whoever took the
highest epoch and has not released it. Three rules make that one holder:

1. An epoch is taken by `Storage.create`, so of many takers of an epoch exactly one gets it.
2. One takes epoch ``n + 1`` only after seeing that ``n`` is the highest and is released or dead (1,
   if there is none), and holds it only if a second look finds it the highest and not released, and
   ``n`` still there, and still released or as silent as before. Otherwise one withdraws.
   (This catches a taker that fell asleep between its first look and its taking.)
3. Files are deleted only by the holder of a higher epoch (all lower ones) and by a taker that
   withdraws (its own). So the highest epoch never goes down, and a holder that finds a higher one
   knows that it has lost: `LeaseLost`.

Release therefore leaves two small files and does not remove the folder. Were it removed, a taker
that had looked before could take ``n + 1`` while another one, looking after, takes 1: two holders.

`Leases.sweep` does remove folders, of leases released long ago, and the second look keeps it safe.
Say X looked before the sweep and takes ``n + 1``, Y looked after it and takes 1. Y's first look
found nothing, so X had not yet taken and ``n`` was gone; so X's second look misses ``n``, and X
withdraws. At worst Y, seeing X's epoch for a moment, is told that it has lost.

A holder is dead if its process is gone from this machine, which is seen at once. Otherwise its
beats are watched: one that has not moved for ``ttl_seconds`` by the *watcher's* own monotonic clock
is dead; no two hosts' clocks are ever compared. A process that runs on this machine is alive even
if it does not beat (a long call that keeps the interpreter's lock); a stopped one is watched.

The store's truth does not hang on leases: files are published whole, and receipts once. A holder
that was taken for dead and wakes up computes in vain; it breaks nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from store.errors import LeaseLost, StoreError
from store.processes import Record, identity_of, life_of
from store.storage import Storage

FOLDER = "leases"
TTL_SECONDS = 30.0
BEAT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5

_FILE = re.compile(r"(\d{6,})\.(json|released)")
_FIELDS = {"holder", "host", "machine", "pid", "process_started", "beat", "beat_at"}


class Leases:
    """The leases of one process in one home, renewed by one daemon thread.

    ``clock`` tells monotonic seconds; deaths are judged by it. Threads may share the object. A
    lease is not re-entrant: `acquire` of a name by its holder waits like any other. After a fork
    the child must make its own.
    """

    def __init__(
        self,
        storage: Storage,
        ttl_seconds: float = TTL_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.storage = storage
        self.ttl_seconds = ttl_seconds
        self.beat_seconds = beat_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._held: set[Lease] = set()
        self._watched: dict[str, tuple[bytes, float]] = {}  # name -> record, first seen at
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def try_acquire(self, name: str) -> Lease | None:
        """Take the lease if nobody alive holds it, else return None at once.

        A dead holder on another machine is known only after watching it for ``ttl_seconds``: this
        call begins or goes on watching.
        """
        return self._take(name)[0]

    def acquire(
        self,
        name: str,
        on_wait: Callable[[Record], None] | None = None,
        until: Callable[[], bool] | None = None,
    ) -> Lease | None:
        """Wait for the lease and take it, or return None as soon as ``until()`` is true.

        ``until`` is asked before every try (say, "the receipt is there now"); ask it again under
        the lease, for the last holder may have finished in between. ``on_wait`` gets the holder's
        record when the wait begins and whenever the holder changes.
        """
        pause_seconds = FIRST_PAUSE_SECONDS
        told = None
        while not (until and until()):
            lease, holder = self._take(name)
            if lease:
                return lease
            if holder and on_wait and told != holder["holder"]:
                told = holder["holder"]
                on_wait(holder)
            self._closed.wait(pause_seconds)
            pause_seconds = min(pause_seconds * 1.5, LONGEST_PAUSE_SECONDS)
        return None

    def holder(self, name: str) -> Record | None:
        """Return the record of who holds a lease now, None if nobody does; for people to read.

        Of another machine's holder this is an estimate: its last beat is compared with our clock.
        """
        epochs, released = _look(self.storage, name)
        if not epochs or epochs[-1] in released:
            return None
        record = _read(self.storage, name, epochs[-1])[1]
        if record is None:
            return None
        life = life_of(record)
        recent = time.time() - record["beat_at"] < self.ttl_seconds
        return record if life == "running" or (life == "unknown" and recent) else None

    def sweep(self, released_before_seconds: float = 7 * 86_400.0) -> int:
        """Remove the files of leases released longer ago than this; return how many leases.

        Meant for the store's clean-up. See the top of this file for why it harms no holder.
        """
        newest: dict[str, float] = {}
        for path, _, modified in self.storage.list(FOLDER):
            name = path.removeprefix(f"{FOLDER}/").rpartition("/")[0]
            newest[name] = max(modified, newest.get(name, 0.0))
        oldest_kept = time.time() - released_before_seconds
        old = [name for name, modified in newest.items() if name and modified < oldest_kept]
        return sum(self._forget(name) for name in old)

    def close(self) -> None:
        """Stop the heart-beat and release every lease that is still held."""
        with self._lock:
            self._closed.set()
            thread, held = self._thread, list(self._held)
        if thread:
            thread.join()
        for lease in held:
            lease.release()

    def __enter__(self) -> Leases:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self, name: str) -> bool:
        epochs, released = _look(self.storage, name)
        if not epochs or epochs[-1] not in released:
            return False
        for epoch in epochs:
            _delete(self.storage, name, epoch)
        return True

    def _take(self, name: str) -> tuple[Lease | None, Record | None]:
        """Try once; return the lease, or None and the record of the holder if one was seen."""
        self._refuse_if_closed(name)
        epochs, released = _look(self.storage, name)
        dead = None  # the last words of a holder found dead
        if epochs and epochs[-1] not in released:
            dead, holder = _read(self.storage, name, epochs[-1])
            if not self._is_dead(name, dead, holder):
                return None, holder
        epoch = epochs[-1] + 1 if epochs else 1
        record = {**identity_of(os.getpid()), "holder": uuid.uuid4().hex, "beat": 0}
        record["beat_at"] = time.time()
        if not self.storage.create_json(_file(name, epoch), record, durable=False):
            return None, None
        if not self._is_confirmed(name, epoch, epochs[-1:], dead):
            _delete(self.storage, name, epoch)
            return None, None
        return self._begin(Lease(self, name, epoch, record)), None

    def _is_confirmed(self, name: str, epoch: int, below: list[int], dead: bytes | None) -> bool:
        """Look again at an epoch just taken; if it holds, delete the lower ones (rules 2, 3)."""
        epochs, released = _look(self.storage, name)
        if epochs[-1:] != [epoch] or epoch in released:
            return False
        if dead is None and not released.issuperset(below):
            return False
        if dead is not None and _read(self.storage, name, below[0])[0] != dead:
            return False
        for lower in epochs[:-1]:
            _delete(self.storage, name, lower)
        return True

    def _is_dead(self, name: str, data: bytes | None, record: Record | None) -> bool:
        """Tell whether the holder of the highest epoch is dead; if that is not known, watch it."""
        if data is None:
            return False  # deleted between two looks: the next look will tell
        life = life_of(record) if record else "unknown"
        with self._lock:
            now = self._clock()
            before, since = self._watched.get(name, (data, now))
            if data != before:
                since = now
            self._watched[name] = (data, since)
            dead = life == "gone" or (life == "unknown" and now - since >= self.ttl_seconds)
            if dead:
                del self._watched[name]
        return dead

    def _begin(self, lease: Lease) -> Lease:
        with self._lock:
            self._watched.pop(lease.name, None)
            if not self._closed.is_set():
                self._held.add(lease)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
                    self._thread.start()
                return lease
        lease.release()  # closed while we took it
        self._refuse_if_closed(lease.name)
        return lease

    def _refuse_if_closed(self, name: str) -> None:
        if self._closed.is_set():
            raise RuntimeError(f"the leases are closed; {name} cannot be acquired")

    def _end(self, lease: Lease) -> None:
        with self._lock:
            self._held.discard(lease)

    def _beat(self) -> None:
        while not self._closed.wait(self.beat_seconds):
            with self._lock:
                held = list(self._held)
            for lease in held:
                lease._renew()


class Lease:
    """A lease that we hold, until `release`; a context manager that releases it.

    Ask `check` before publishing what was computed under it.
    """

    def __init__(self, leases: Leases, name: str, epoch: int, record: Record):
        self.name = name
        self.epoch = epoch
        self._leases = leases
        self._storage = leases.storage
        self._record = record
        self._released = False
        self._lost = False

    def check(self) -> None:
        """Raise `LeaseLost` unless we hold the lease, as the home says at this moment."""
        if self._released or not self._is_ours():
            raise LeaseLost(
                f"the work on {self.name} in {self._storage.url} is no longer ours (another run "
                "took it over, or it was given back); run again to use that result"
            )

    def release(self) -> None:
        """Give the lease back; once more, or after it was lost, changes nothing.

        Never fails: in a home that cannot be written any more the lease ends with this process.
        """
        self._leases._end(self)
        if self._released:
            return
        self._released = True
        marker = _file(self.name, self.epoch, "released")
        with contextlib.suppress(StoreError):
            self._storage.create(marker, b"released\n", durable=False)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_ours(self) -> bool:
        if not self._lost:
            epochs, _ = _look(self._storage, self.name)
            record = None
            if epochs[-1:] == [self.epoch]:
                record = _read(self._storage, self.name, self.epoch)[1]
            self._lost = record is None or record["holder"] != self._record["holder"]
        return not self._lost

    def _renew(self) -> None:
        """Beat once. A home out of reach is tried again at the next beat."""
        with contextlib.suppress(StoreError):
            if not self._released and self._is_ours():
                self._record["beat"] += 1
                self._record["beat_at"] = time.time()
                name = _file(self.name, self.epoch)
                self._storage.replace_json(name, self._record, durable=False)


def _file(name: str, epoch: int, kind: str = "json") -> str:
    return f"{FOLDER}/{name}/{epoch:06d}.{kind}"


def _look(storage: Storage, name: str) -> tuple[list[int], set[int]]:
    """Return the epochs that are there, lowest first, and those of them that are released."""
    folder = f"{FOLDER}/{name}/"
    files = (path.removeprefix(folder) for path, _, _ in storage.list(folder[:-1]))
    found = [(int(match[1]), match[2]) for file in files if (match := _FILE.fullmatch(file))]
    return sorted({epoch for epoch, _ in found}), {e for e, kind in found if kind == "released"}


def _delete(storage: Storage, name: str, epoch: int) -> None:
    storage.delete(_file(name, epoch))
    storage.delete(_file(name, epoch, "released"))


def _read(storage: Storage, name: str, epoch: int) -> tuple[bytes | None, Record | None]:
    """Return an epoch's bytes (None if it is gone) and its record (None if that is not one)."""
    try:
        data = storage.read(_file(name, epoch))
    except FileNotFoundError:
        return None, None
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return data, None
    return data, record if _is_record(record) else None


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() >= _FIELDS:
        return False
    pid, beat_at = value["pid"], value["beat_at"]
    return isinstance(pid, int) and pid > 0 and isinstance(beat_at, (int, float))
