"""sign_bands: documents, signatures -> bands. The keys that texts share if they are much alike.

Near-duplicates are a relation between normalised texts, so a row names a text, not a document: by
the first 64 bits of the hash of its normalised form. Rows are sorted by bucket, so that
`find_candidates` reads one bucket of all partitions at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import BANDS
from pipelines.dedupe.near_config import BandsConfig
from pipelines.dedupe.text_keys import text_keys
from pipelines.sql import query
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

VERSION = 1

# A text that stands twice in the partition has its keys once.
_SQL = """
    SELECT DISTINCT (band_key % {num_buckets})::INTEGER AS bucket, band_key, text_key FROM bands
    ORDER BY bucket, band_key, text_key
"""


def sign_bands(inputs: Inputs, config: BandsConfig) -> Output:
    """Return the keys of the bands of a partition's texts, by ``(bucket, band_key, text_key)``.

    A text with fewer words than a shingle has none: it is compared as a whole, as exact duplicate.
    Raises `UsageError` if a text is null.
    """
    if config.num_bands == 0:
        return Output(BANDS.empty_table(), slice_by="bucket")
    documents = inputs.one("documents").table(["doc_id", "text"])
    signatures = inputs.one("signatures").table(["doc_id", "normal_hash"])
    places = pc.index_in(documents["doc_id"], signatures["doc_id"])
    keys = text_keys(signatures["normal_hash"])[places.to_numpy()]
    found = [
        pa.table({"band_key": bands.ravel(), "text_key": np.repeat(mine, bands.shape[1])})
        for mine, bands in _signed(documents["text"], keys, config)
    ]
    if not found:
        return Output(BANDS.empty_table(), slice_by="bucket")
    rows = query(_SQL.format(num_buckets=config.num_buckets), BANDS, bands=pa.concat_tables(found))
    return Output(rows, slice_by="bucket")


def _signed(
    texts: pa.ChunkedArray, keys: np.ndarray, config: BandsConfig
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield keys of texts and the keys of their bands, for those that have any."""
    for first, num_rows in slices_of(texts):
        bands, signed = band_keys_of(one_array(texts.slice(first, num_rows)), config)
        yield keys[first : first + num_rows][signed], bands[signed]


def band_keys_of(texts: pa.Array, config: BandsConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of texts' bands, uint64 of shape (n, num_bands), and whether they mean any.

    Raises `UsageError` if a text is null.
    """
    from pipelines.kernels.decoded import text_batch
    from pipelines.kernels.minhash import Banding, band_keys, has_signature
    from pipelines.kernels.shingles import text_shingles

    codes = text_batch(texts).codes
    if config.dialect == "datatrove-0.10":
        from pipelines.kernels.datatrove_minhash import datatrove_band_keys, datatrove_shingles

        shingles = datatrove_shingles(codes)
        return datatrove_band_keys(shingles), has_signature(shingles)
    shingles = text_shingles(codes)
    return band_keys(shingles, Banding(config.num_bands, config.num_rows)), has_signature(shingles)


STEP = Step(
    name="sign_bands",
    version=VERSION,
    kind="map",
    run=sign_bands,
    config=BandsConfig,
    schema=BANDS,
    inputs={"documents": "aligned", "signatures": "aligned"},
    # Kernels add, compare and hash integers; character classes are the package's own table.
    libraries=(),
    accounts_for="documents",
    emits="model",  # keys are no documents: every document passes
)
