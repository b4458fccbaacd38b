"""Packing plans: which pieces of which documents make up each row, decided when tokens are read.

Stands between token shards and the loader. A plan is a function of where documents lie, the rows'
size and a seed; nothing of it is in the shards. The shards' tokens count as one stream. A row has
S = T+1 tokens, so that T tokens are read and T are asked for, and holds pieces, each of one
document. Where a document is cut, the next piece begins with the last token of the one before: so
every token but a document's first is asked for, once an epoch.

::

    concat        the stream, cut every T tokens: no row but the last is filled up
    best_fit      whole documents, fitted (`training.best_fit`): none is cut that fits a row
    one_per_row   one document a row, cut at its end: for fine-tuning

Shapes: N documents, P pieces, R rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from data_contracts.errors import UsageError
from training.best_fit import Numbers, best_fit_decreasing
from training.config import PACKINGS
from training.shuffle import mix

MAX_CONTEXT_TOKENS = 1 << 23
_HASH_BITS = 40


class Plan(Protocol):
    """The rows of one epoch, counted from 0; in which order they come is the loader's."""

    @property
    def num_rows(self) -> int:
        """R."""

    @property
    def lengths_R(self) -> Numbers:
        """How many tokens each row holds, at most T+1."""

    def pieces(self, row: int) -> tuple[Numbers, Numbers]:
        """Return where a row's pieces start in the stream, and their lengths in tokens."""


@dataclass(frozen=True)
class Concat:
    """Row r is the T+1 tokens from r · T; holds no more than where documents begin and end."""

    offsets_N1: Numbers
    context_tokens: int

    @property
    def num_rows(self) -> int:
        """R; a stream of one token has no row."""
        return max(0, -(-(int(self.offsets_N1[-1]) - 1) // self.context_tokens))

    @property
    def lengths_R(self) -> Numbers:
        """T+1 for each but the last, which has what is left."""
        left_R = int(self.offsets_N1[-1]) - np.arange(self.num_rows) * self.context_tokens
        return np.minimum(left_R, self.context_tokens + 1)

    def pieces(self, row: int) -> tuple[Numbers, Numbers]:
        """Return the parts of documents that lie in a row."""
        begin = row * self.context_tokens
        end = min(begin + self.context_tokens + 1, int(self.offsets_N1[-1]))
        first, last = np.searchsorted(self.offsets_N1, [begin, end], side="right")
        bounds = np.array([begin, *self.offsets_N1[first:last], end])
        starts_P, lengths_P = bounds[:-1], np.diff(bounds)
        return starts_P[lengths_P > 0], lengths_P[lengths_P > 0]


@dataclass(frozen=True)
class Packed:
    """Row r has the pieces from ``row_offsets_R1[r]`` to ``row_offsets_R1[r + 1]``.

    ``num_cut_tokens`` is how many tokens are in no row, of ``num_cut_documents`` documents.
    """

    row_offsets_R1: Numbers
    starts_P: Numbers
    lengths_P: Numbers
    num_cut_tokens: int = 0
    num_cut_documents: int = 0

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.row_offsets_R1) - 1

    @property
    def lengths_R(self) -> Numbers:
        """The sum of each row's pieces."""
        before_P1 = np.concatenate([[0], np.cumsum(self.lengths_P)])
        return np.diff(before_P1[self.row_offsets_R1])

    def pieces(self, row: int) -> tuple[Numbers, Numbers]:
        """Return views of the arrays."""
        own = slice(self.row_offsets_R1[row], self.row_offsets_R1[row + 1])
        return self.starts_P[own], self.lengths_P[own]


def best_fit(offsets_N1: Numbers, context_tokens: int, seed: int) -> Packed:
    """Fit documents, and the pieces of those longer than a row, into as few rows as may be.

    Which of equally long pieces share a row, and their order in it, follow from the seed.
    """
    starts_P, lengths_P = document_pieces(offsets_N1, context_tokens)
    row_tokens = context_tokens + 1
    full = lengths_P == row_tokens  # each is a row by itself
    full_starts, starts_P, lengths_P = starts_P[full], starts_P[~full], lengths_P[~full]
    draws_P = _draws(len(starts_P), seed)
    longest_first = (row_tokens - lengths_P).astype(np.uint64) << np.uint64(_HASH_BITS)
    order_P = np.argsort(longest_first | draws_P, kind="stable")
    rows_P, num_rows = best_fit_decreasing(lengths_P[order_P], row_tokens)
    again = rows_P.astype(np.uint64) << np.uint64(32) | draws_P[order_P] & np.uint64(0xFFFFFFFF)
    order_P = order_P[np.argsort(again, kind="stable")]
    sizes_R = np.concatenate([np.ones_like(full_starts), np.bincount(rows_P, minlength=num_rows)])
    return Packed(
        np.concatenate([[0], np.cumsum(sizes_R)]),
        np.concatenate([full_starts, starts_P[order_P]]),
        np.concatenate([np.full_like(full_starts, row_tokens), lengths_P[order_P]]),
    )


def one_per_row(offsets_N1: Numbers, context_tokens: int, seed: int) -> Packed:
    """Give each document a row, in their order; what does not fit in it is in no row.

    The seed changes nothing.
    """
    lengths_N = np.diff(offsets_N1)
    full = lengths_N > 0
    starts_P, whole_P = offsets_N1[:-1][full], lengths_N[full]
    lengths_P = np.minimum(whole_P, context_tokens + 1)
    return Packed(
        np.arange(len(starts_P) + 1),
        starts_P,
        lengths_P,
        num_cut_tokens=int((whole_P - lengths_P).sum()),
        num_cut_documents=int((whole_P > lengths_P).sum()),
    )


def document_pieces(offsets_N1: Numbers, context_tokens: int) -> tuple[Numbers, Numbers]:
    """Return documents as pieces of at most a row: starts [P] and lengths [P], in their order.

    Each piece but a document's first begins with the last token of the one before.
    """
    lengths_N = np.diff(offsets_N1)
    counts_N = np.where(lengths_N > 1, -(-(lengths_N - 1) // context_tokens), lengths_N)
    firsts_N = np.cumsum(counts_N) - counts_N
    within_P = np.arange(counts_N.sum()) - np.repeat(firsts_N, counts_N)
    starts_P = np.repeat(offsets_N1[:-1], counts_N) + within_P * context_tokens
    left_P = np.repeat(offsets_N1[1:], counts_N) - starts_P
    return starts_P, np.minimum(left_P, context_tokens + 1)


def new_plan(packing: str, offsets_N1: Numbers, context_tokens: int, seed: int) -> Plan:
    """Return the plan of a name in `PACKINGS` for documents at these offsets of the stream.

    Raises UsageError for another name, or rows of more than 8M tokens.
    """
    if not 1 <= context_tokens <= MAX_CONTEXT_TOKENS:
        raise UsageError(
            f"context_tokens is {context_tokens}; give a number from 1 to {MAX_CONTEXT_TOKENS:,}"
        )
    if packing == "concat":
        return Concat(offsets_N1, context_tokens)
    if packing not in _PLANS:
        raise UsageError(f"packing is {packing!r}; give {', '.join(PACKINGS)}")
    return _PLANS[packing](offsets_N1, context_tokens, seed)


def padding_ratio(plan: Plan, num_tokens: int, context_tokens: int) -> float:
    """Return which share of all rows' places no token of the stream stands in."""
    room = plan.num_rows * (context_tokens + 1)
    if isinstance(plan, Packed):
        return 1 - int(plan.lengths_P.sum()) / room if room else 0.0
    return 1 - (num_tokens + plan.num_rows - 1) / room if room else 0.0


def _draws(count: int, seed: int) -> np.ndarray:
    """Return a number below 2^40 for each piece, uint64, that looks drawn."""
    key = mix(np.full(1, seed % (1 << 64), np.uint64))
    return mix(np.arange(count).astype(np.uint64) + key) >> np.uint64(64 - _HASH_BITS)


_PLANS: dict[str, Callable[[Numbers, int, int], Packed]] = {
    "best_fit": best_fit,
    "one_per_row": one_per_row,
}
