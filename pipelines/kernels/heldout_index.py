"""Kernel: an inverted index: which of some documents hold a shingle.

Built once of the held-out documents, asked by `pipelines.kernels.nearest_heldout` of every other.
Neighbouring shingles mostly stand in the same documents: a passage of one document, a notice that
a thousand documents share. Shingles with the same holders have one list of them, so lists take less
room than the documents' sets, and a notice costs the work of one shingle.
"""

from typing import NamedTuple

import numpy as np

from data_contracts.errors import InputError
from pipelines.kernels.compiled import compiled
from pipelines.kernels.shingles import Shingles

MAX_SHINGLES = 2**31 - 2  # of all documents' sets; they are counted in int32
_LIST_BITS = 32


class HeldoutIndex(NamedTuple):
    """The shingles of ``h`` documents and who holds each.

    Documents are numbered by the size of their sets, ties by their place in the order that they
    were given in; ``places`` (int32 of length ``h``) are the places of documents by number, and
    ``sizes`` (int32) their sets' sizes, ascending.

    ``hashes`` (uint64, ascending) are the distinct shingles, ``lists`` (int32) the list of each:
    the documents with the numbers ``holders[offsets[l]:offsets[l + 1]]``, ascending, hold it, and
    all shingles of these very documents have list ``l``. Lists stand by length, so a number is a
    rank of rarity. ``offsets`` is int64, ``holders`` int32.
    """

    places: np.ndarray
    sizes: np.ndarray
    hashes: np.ndarray
    lists: np.ndarray
    offsets: np.ndarray
    holders: np.ndarray


def build_index(sets: Shingles) -> HeldoutIndex:
    """Return the index of documents' sets of shingles (`pipelines.kernels.shingles`).

    It depends on the sets and their order alone. Time is that of sorting the shingles; takes some
    80 bytes for each while it runs. Raises `InputError` for more than `MAX_SHINGLES`.
    """
    if sets.hashes.size > MAX_SHINGLES:
        raise InputError(
            f"the held-out documents have {sets.hashes.size:,} shingles, more than an index can "
            f"count; lower split.heldout_ratio."
        )
    all_sizes = np.diff(sets.offsets)
    places = np.argsort(all_sizes, kind="stable").astype(np.int32)
    ordered = take_texts(sets, places)
    hashes, members, num_holders = np.unique(
        ordered.hashes, return_inverse=True, return_counts=True
    )
    classes = np.zeros(hashes.size, dtype=np.int32)
    _divide(ordered.offsets, members, classes, *_scratch(members.size))
    _, lists = np.unique((num_holders << _LIST_BITS) | classes, return_inverse=True)
    offsets, holders = _list_holders(ordered.offsets, lists[members])
    sizes = all_sizes[places].astype(np.int32)
    return HeldoutIndex(places, sizes, hashes, lists.astype(np.int32), offsets, holders)


def take_texts(shingles: Shingles, rows: np.ndarray) -> Shingles:
    """Return the shingles of some texts, by index, in the order of ``rows``."""
    sizes = np.diff(shingles.offsets)[rows]
    offsets = np.zeros(rows.size + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    moved = np.repeat(shingles.offsets[rows] - offsets[:-1], sizes)
    return Shingles(offsets, shingles.hashes[moved + np.arange(offsets[-1])])


def _list_holders(offsets: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each list's documents, given the lists of each document's shingles."""
    numbers = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    keys = np.unique((lists << _LIST_BITS) | numbers)
    bounds = np.arange(int(lists.max(initial=-1)) + 2) << _LIST_BITS
    return np.searchsorted(keys, bounds).astype(np.int64), keys.astype(np.int32)


def _scratch(num_members: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what `_divide` writes to: there are never more classes than it could move shingles."""
    return np.full(num_members + 1, -1, dtype=np.int32), np.empty(num_members + 1, dtype=np.int32)


@compiled
def _divide(
    offsets: np.ndarray,
    members: np.ndarray,
    classes: np.ndarray,
    moved_by: np.ndarray,
    moved_to: np.ndarray,
) -> None:
    """Divide shingles, all of class 0 at first, into classes that stand in the same documents.

    Each document divides each class that it holds some of into those and the others (refinement of
    partitions: Paige, Tarjan: Three partition refinement algorithms, SIAM J. Comput. 1987).
    """
    num_classes = np.int32(1)
    for number in range(offsets.size - 1):
        for at in range(offsets[number], offsets[number + 1]):
            shingle = members[at]
            former = classes[shingle]
            if moved_by[former] != number:
                moved_by[former], moved_to[former] = number, num_classes
                num_classes += np.int32(1)
            classes[shingle] = moved_to[former]
