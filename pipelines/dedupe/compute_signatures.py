"""Give every document the hashes by which exact duplicates are linked and splits are drawn.

Stands beside `compute_signals` in the data path. Rows are sorted by bucket, so that
`link_duplicates` reads one bucket of all partitions at a time; equal documents are always in the
same bucket.
"""

from dataclasses import dataclass

import pyarrow as pa

from data_contracts.documents import SIGNATURES
from data_contracts.errors import RecipeError
from pipelines.dedupe.normalise import hash_normalised
from store.step import Inputs, Output, Step

VERSION = 1
_BUCKET_HEX_DIGITS = 8  # 32 bits of the hash choose the bucket


@dataclass(frozen=True)
class SignaturesConfig:
    """``num_buckets``: into how many parts, at least 1, the search for duplicates is divided."""

    num_buckets: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.num_buckets <= 2**16:
            raise RecipeError(
                f"compute_signatures.num_buckets is {self.num_buckets}; give 1 to {2**16}."
            )


def compute_signatures(inputs: Inputs, config: SignaturesConfig) -> Output:
    """Return the hashes of a partition of documents, sorted by ``(bucket, doc_id)``.

    Each bucket's rows are a slice. Raises `UsageError` if a text is null.
    """
    documents = inputs.one("documents").table(["doc_id", "text_hash", "text"])
    hashes = hash_normalised(documents["text"])
    columns = {
        "bucket": [bucket_of(value, config.num_buckets) for value in hashes],
        "doc_id": documents["doc_id"],
        "text_hash": documents["text_hash"],
        "normal_hash": hashes,
    }
    rows = pa.table(columns, schema=SIGNATURES)
    order = [("bucket", "ascending"), ("doc_id", "ascending")]
    return Output(rows=rows.sort_by(order), slice_by="bucket")


def bucket_of(normal_hash: str, num_buckets: int) -> int:
    """Return the bucket of a hash, in ``[0, num_buckets)``: its first 32 bits, modulo."""
    return int(normal_hash[:_BUCKET_HEX_DIGITS], 16) % num_buckets


STEP = Step(
    name="compute_signatures",
    version=VERSION,
    kind="map",
    run=compute_signatures,
    config=SignaturesConfig,
    schema=SIGNATURES,
    inputs={"documents": "aligned"},
    # The kernel compares and writes bytes, folding is the package's own table, BLAKE3 is a
    # standard: no library's version changes the rows.
    libraries=(),
    accounts_for="documents",
)
