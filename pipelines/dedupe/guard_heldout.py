"""guard_heldout: documents, splits, the held-out index -> splits without train documents that leak.

Stands between `split` and `materialize`. Equal texts are on one side already; here train loses
every document that is near a held-out one, so that no score is of text that was learnt. Nothing is
sampled: every train document is compared with all held-out ones.

A train document is near a held-out one if

* they share ``min_jaccard`` or more of the union of their shingles (of 5 words), or
* they share ``min_containment`` or more of the n-grams (of 13 words) of the one that has fewer:
  a train document is dropped that quotes a held-out one, and one that stands within it. N-grams of
  13 words: Brown et al.: Language models are few-shot learners, 2020, appendix C; unlike there, an
  n-gram counts that many documents share, and one alone decides for no document but a short one.

Words are those of normalised texts (`pipelines.dedupe.normalise`). A text with fewer words than
a shingle has none, and is near no other by that measure: what equals it stands on its side.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import SPLITS
from data_contracts.errors import RecipeError
from pipelines.dedupe.index_heldout import (
    SHINGLE_WORDS,
    Heldout,
    HeldoutIndexConfig,
    load_heldout,
    read_texts,
)
from pipelines.text_slices import one_array
from store.step import Inputs, Output, Step

if TYPE_CHECKING:
    from pipelines.kernels.nearest_heldout import Nearest
    from pipelines.kernels.shingles import Shingles

VERSION = 1

REASON = "split.near_heldout"

# A split that names the held-out document which a dropped train document is nearest to.
GUARDED = pa.schema(
    [
        *SPLITS,
        pa.field("partner_id", pa.string()),
        pa.field("jaccard", pa.float64()),  # of shingles, in [0, 1]
        pa.field("containment", pa.float64()),  # of n-grams, in [0, 1]
    ]
)
_NEAR = pa.schema([GUARDED.field("doc_id"), *(GUARDED.field(number) for number in (-3, -2, -1))])


@dataclass(frozen=True)
class GuardConfig:
    """From which share on, in (0, 1], a train document is near a held-out one.

    ``min_jaccard`` is of the union of both documents' shingles, ``min_containment`` of the n-grams,
    of ``ngram_words`` words, of the document that has fewer. Not ``enabled``: nothing is dropped.
    """

    enabled: bool = True
    min_jaccard: float = 0.5
    min_containment: float = 0.5
    ngram_words: int = 13

    def __post_init__(self) -> None:
        for name in ("min_jaccard", "min_containment"):
            if not 0 < getattr(self, name) <= 1:
                raise RecipeError(
                    f"guard.{name} is {getattr(self, name)}; give a share above 0 and up to 1."
                )
        self.index()

    def index(self) -> HeldoutIndexConfig:
        """Return what indexing needs to know of it; raises as `HeldoutIndexConfig` does."""
        return HeldoutIndexConfig(self.enabled, self.ngram_words)


def guard_heldout(inputs: Inputs, config: GuardConfig) -> Output:
    """Drop the train documents that are near a held-out one; others pass as they are, in order.

    ``partner_id`` names the document with the largest share by which it is near; of equal ones that
    with the smallest id. No text is read where there is nothing to compare. Raises `RecipeError` if
    the index was made for other n-grams, and LookupError if a train document is not among the
    documents.
    """
    splits = inputs.one("splits").table(SPLITS.names)
    train = splits.filter(pc.equal(splits["split"], "train"))["doc_id"]
    assert inputs.scratch is not None
    heldout = load_heldout(inputs.one("index"), inputs.scratch)
    if heldout is None or not config.enabled or not len(train):
        return Output(_guarded(splits, _NEAR.empty_table()))
    if heldout.ngram_words != config.ngram_words:
        raise RecipeError(
            f"guard.ngram_words is {config.ngram_words}, but held-out documents were indexed by "
            f"n-grams of {heldout.ngram_words} words; make the index with `GuardConfig.index`."
        )
    guard = _Guard(heldout, config)
    texts = read_texts(inputs.one("documents"), train)
    near = pa.concat_tables([_NEAR.empty_table(), *(guard.find_near(*slice_) for slice_ in texts)])
    return Output(_guarded(splits, near), facts=_facts(len(train), near))


class _Guard:
    """The held-out documents, made ready to be asked about texts."""

    def __init__(self, heldout: Heldout, config: GuardConfig) -> None:
        from pipelines.kernels.nearest_heldout import prepare

        self._ids, self._config = heldout.ids, config
        self._shingles, self._ngrams = prepare(heldout.shingles), prepare(heldout.ngrams)

    def find_near(self, ids: pa.Array, texts: pa.Array) -> pa.Table:
        """Return the texts that are near a held-out document, and the nearest one, in order."""
        from pipelines.kernels.decoded import text_batch
        from pipelines.kernels.heldout_index import take_texts
        from pipelines.kernels.nearest_heldout import compare_with
        from pipelines.kernels.normal_words import normal_words
        from pipelines.kernels.shingles import Shingles, word_shingles

        words = Shingles(*normal_words(text_batch(texts).codes))
        rows, places = self._nearest(words)
        shingles, ngrams = (
            word_shingles(*take_texts(words, rows), num_words)
            for num_words in (SHINGLE_WORDS, self._config.ngram_words)
        )
        columns = [
            ids.take(pa.array(rows)),
            one_array(self._ids.take(pa.array(places))),
            compare_with(self._shingles, shingles, places).jaccard,
            compare_with(self._ngrams, ngrams, places).containment,
        ]
        return pa.table(columns, schema=_NEAR)

    def _nearest(self, words: Shingles) -> tuple[np.ndarray, np.ndarray]:
        """Return which texts are near, and the place of the document that each is nearest to.

        An n-gram that two texts share is a run of shingles that they share: where there is none so
        long, n-grams are not looked up.
        """
        from pipelines.kernels.heldout_index import take_texts
        from pipelines.kernels.nearest_heldout import find_nearest
        from pipelines.kernels.shingle_matches import filter_shingles
        from pipelines.kernels.shingles import word_shingles

        config = self._config
        shingles = word_shingles(*words, SHINGLE_WORDS)
        hits = filter_shingles(self._shingles.table, shingles)
        near = find_nearest(self._shingles, shingles, hits.counts, "jaccard", config.min_jaccard)
        quoting = np.flatnonzero(hits.runs > config.ngram_words - SHINGLE_WORDS)
        ngrams = word_shingles(*take_texts(words, quoting), config.ngram_words)
        other = find_nearest(
            self._ngrams, ngrams, np.diff(ngrams.offsets), "containment", config.min_containment
        )
        return _nearer(near, other, quoting)


def _nearer(one: Nearest, other: Nearest, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are near by either, and the nearer place; ``other`` is of ``rows``."""
    places, shares = np.zeros_like(one.places), np.zeros_like(one.shares)
    places[rows], shares[rows] = other
    is_other = (shares > one.shares) | ((shares == one.shares) & (places < one.places))
    near = np.flatnonzero(np.maximum(shares, one.shares))
    return near, np.where(is_other, places, one.places)[near]


def _guarded(splits: pa.Table, near: pa.Table) -> pa.Table:
    """Return the rows of splits, those that are near a held-out document dropped."""
    found = near.take(pc.index_in(splits["doc_id"], one_array(near["doc_id"])))
    stays = pc.is_null(found["partner_id"])
    values = [
        None if jaccard is None else _values(jaccard, containment)
        for jaccard, containment in zip(
            found["jaccard"].to_pylist(), found["containment"].to_pylist(), strict=True
        )
    ]
    columns = [
        splits["doc_id"],
        pc.and_(splits["keep"], stays),
        pc.if_else(stays, splits["reason"], REASON),
        pc.if_else(stays, splits["values"], pa.array(values, pa.string())),
        pc.if_else(stays, splits["split"], pa.scalar(None, pa.string())),
        *(found[name] for name in ("partner_id", "jaccard", "containment")),
    ]
    return pa.table(columns, schema=GUARDED)


def _values(jaccard: float, containment: float) -> str:
    return json.dumps({"jaccard": jaccard, "containment": containment}, separators=(",", ":"))


def _facts(num_compared: int, near: pa.Table) -> dict[str, int]:
    """Return facts for the receipt.

    ``most_by_one``: how many train documents were nearest to the same held-out one. If they are
    many, it says little more than they all do: a notice, a template.
    """
    partners = Counter(near["partner_id"].to_pylist())
    return {
        "num_compared": num_compared,
        "num_near": len(near),
        "num_partners": len(partners),
        "most_by_one": max(partners.values(), default=0),
    }


STEP = Step(
    name="guard_heldout",
    version=VERSION,
    kind="map",
    run=guard_heldout,
    config=GuardConfig,
    schema=GUARDED,
    inputs={"documents": "aligned", "splits": "aligned", "index": "all"},
    accounts_for="splits",
)
