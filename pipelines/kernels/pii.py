"""Kernel: stretches of a text that name a person or open a door, counted or as spans.

Each rule reads a bounded number of characters from a place where it may begin, or reads a run of
characters once, so that work is linear in the text whatever stands there; nothing goes back. The
rules stand with their functions in `pii_addresses`, `pii_numbers` and `pii_keys`.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.pii_addresses import find_emails, find_ipv4, find_ipv6
from pipelines.kernels.pii_found import KINDS, TOTAL
from pipelines.kernels.pii_keys import find_keys, find_private_keys
from pipelines.kernels.pii_numbers import find_cards, find_phones


class PiiSpans(NamedTuple):
    """What was found in ``n`` texts: that of text ``i`` is ``offsets[i]:offsets[i + 1]``.

    Span ``s`` is ``codes[starts[s]:ends[s]]`` of the text's own `Codes`, counted from the text's
    first character; ``kinds`` are places in `KINDS`. ``offsets`` is int64, the others int32. Spans
    are ordered by start, end and kind; those of one kind do not overlap, those of two may.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray


def count_pii(texts: Codes) -> dict[str, np.ndarray]:
    """Return, for each of `KINDS`, how many each text has, int64."""
    counts = _count(texts)
    return {kind: counts[:, place] for place, kind in enumerate(KINDS)}


def find_pii(texts: Codes) -> PiiSpans:
    """Return what `count_pii` counts, as spans."""
    totals = _count(texts)[:, TOTAL]
    offsets = np.concatenate(([0], np.cumsum(totals)))
    spans = np.empty((int(offsets[-1]), 3), dtype=np.int32)
    counts = np.zeros((texts.num_texts, TOTAL + 1), dtype=np.int64)
    _find_all(*texts, offsets, spans, counts)
    rows = np.repeat(np.arange(texts.num_texts), totals)
    order = np.lexsort((spans[:, 2], spans[:, 1], spans[:, 0], rows))
    return PiiSpans(offsets, *np.ascontiguousarray(spans[order].T))


def _count(texts: Codes) -> np.ndarray:
    counts = np.zeros((texts.num_texts, TOTAL + 1), dtype=np.int64)
    nowhere = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _find_all(*texts, nowhere, np.empty((0, 3), dtype=np.int32), counts)
    return counts


@compiled
def _find_all(
    offsets: np.ndarray,
    all_codes: np.ndarray,
    span_offsets: np.ndarray,
    spans: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        found, room = counts[row], spans[span_offsets[row] : span_offsets[row + 1]]
        find_emails(codes, found, room)
        find_ipv4(codes, found, room)
        find_ipv6(codes, found, room)
        find_phones(codes, found, room)
        find_cards(codes, found, room)
        find_keys(codes, found, room)
        find_private_keys(codes, found, room)
