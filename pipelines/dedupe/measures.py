"""What is measured of two texts that may be duplicates: what they share, what they differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pipelines.kernels.marked_words import MarkedWords
    from pipelines.kernels.shingles import Shingles


def measure_pairs(
    words: MarkedWords, sets: Shingles, left: np.ndarray, right: np.ndarray
) -> dict[str, pa.Array]:
    """Return the measures of `data_contracts.documents.PAIRS`, by name, one value for each pair.

    ``left`` and ``right`` (int64) are places of texts in ``words`` and ``sets``.
    """
    from pipelines.kernels.differences import find_differences
    from pipelines.kernels.overlap import find_overlaps

    overlaps = find_overlaps(sets, left, right)
    facts = find_differences(words, left, right)._asdict()
    measures = {"jaccard": overlaps.jaccard, "containment": overlaps.containment, **facts}
    return {name: pa.array(values) for name, values in measures.items()}


def compare_texts(lefts: pa.Array, rights: pa.Array) -> pa.Table:
    """Return `measure_pairs` of each text of ``lefts`` with the one beside it in ``rights``.

    Raises `UsageError` for nulls and other types than string.
    """
    from pipelines.kernels.decoded import text_batch
    from pipelines.kernels.marked_words import marked_words
    from pipelines.kernels.shingles import unique_shingles, word_shingles

    texts = pa.concat_arrays([lefts.cast(pa.large_string()), rights.cast(pa.large_string())])
    words = marked_words(text_batch(texts).codes)
    sets = unique_shingles(word_shingles(words.offsets, words.hashes))
    left = np.arange(len(lefts), dtype=np.int64)
    return pa.table(measure_pairs(words, sets, left, left + len(lefts)))
