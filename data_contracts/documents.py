"""Schemas of the tables that documents travel in, and how a document gets its id.

Every table is keyed by ``doc_id``. Text is in two places only: `DOCUMENTS`, which ingest writes,
and `CURATED`, which materialize writes. All else stands beside it: signals, decisions, edges.
"""

from collections.abc import Iterable

import pyarrow as pa
from blake3 import blake3

LABELS = pa.map_(pa.string(), pa.string())
_HASH_BYTES = 16
EDITED = "edited_"  # before the names of signals that are measured of edited text

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),  # `doc_id(source, record_key)`
        pa.field("source", pa.string(), nullable=False),  # name of the source in the recipe
        pa.field("uri", pa.string(), nullable=False),  # path relative to the source's root
        pa.field("record_key", pa.string(), nullable=False),  # unique within the source
        pa.field("kind", pa.string(), nullable=False),  # "text"
        pa.field("text", pa.string(), nullable=False),  # NFC, \n line ends, no C0 but tab, newline
        pa.field("text_hash", pa.string(), nullable=False),  # `hash_text(text)`
        pa.field("url", pa.string()),
        pa.field("published_at", pa.timestamp("us", tz="UTC")),
        pa.field("labels", LABELS, nullable=False),
        pa.field("num_repairs", pa.int32(), nullable=False),  # characters changed by cleaning
        pa.field("meta", pa.string()),  # JSON object, or null
    ]
)

# One row for each document that came in; `reason` and `values` are null where `keep` is true.
DECISIONS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),  # namespaced identifier: gopher.short_doc
        pa.field("values", pa.string()),  # JSON object of the signals that decided
    ]
)

# A choice among duplicates is a decision that names the kept partner of each dropped document.
CHOICES = pa.schema(
    [
        pa.field("part_key", pa.string(), nullable=False),  # partition of the document; slices
        *DECISIONS,
        pa.field("partner_id", pa.string()),  # the kept document that this one duplicates
        pa.field("jaccard", pa.float64()),  # of shingles, in [0, 1]; 1 for exact relations
        pa.field("containment", pa.float64()),
    ]
)

SIGNATURES = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),  # of normal_hash; slices
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),  # 128 bits, hex
        pa.field("normal_hash", pa.string(), nullable=False),  # of the normalised text
    ]
)

# A row for each band of a text's signature. Texts are named by the first 64 bits of the hash of
# their normalised form (`pipelines.dedupe.text_keys`).
BANDS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),  # of band_key; slices
        pa.field("band_key", pa.uint64(), nullable=False),  # of the band and its values
        pa.field("text_key", pa.uint64(), nullable=False),
    ]
)

# Texts that share a key, by their names; left_key < right_key.
CANDIDATES = pa.schema(
    [
        pa.field("left_key", pa.uint64(), nullable=False),
        pa.field("right_key", pa.uint64(), nullable=False),
    ]
)

# `relation` exact.text and exact.normalised are equivalences, written as a star: left_id is the
# smallest doc_id of the class and stands once with every other member. Near pairs are in `PAIRS`.
EDGES = pa.schema(
    [
        pa.field("left_id", pa.string(), nullable=False),
        pa.field("right_id", pa.string(), nullable=False),
        pa.field("relation", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
        pa.field("containment", pa.float64(), nullable=False),
        pa.field("rule_version", pa.int32(), nullable=False),
    ]
)

# What the texts of a pair differ in (`pipelines.kernels.differences.PairFacts`).
DIFFERENCES = (
    "slips",
    "doubtful",
    "changed_numbers",
    "changed_names",
    "changed_words",
    "negations",
    "dropped_words",
    "added_words",
    "core_words",
    "left_lost",
    "right_lost",
    "left_lost_plain",
    "right_lost_plain",
)

# Candidates, measured on their texts; left_id < right_id, each the smallest doc_id of its
# normalised text. Whether a pair is a duplicate is for the choice to say.
PAIRS = pa.schema(
    [
        pa.field("left_id", pa.string(), nullable=False),
        pa.field("right_id", pa.string(), nullable=False),
        pa.field("left_hash", pa.string(), nullable=False),  # `hash_text` of what was compared
        pa.field("right_hash", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
        pa.field("containment", pa.float64(), nullable=False),
        *(pa.field(name, pa.int32(), nullable=False) for name in DIFFERENCES),
        pa.field("rule_version", pa.int32(), nullable=False),
    ]
)

SPLITS = pa.schema(
    [
        *DECISIONS,
        pa.field("split", pa.string()),  # "train" or "heldout"; null where dropped
    ]
)

CURATED = pa.schema(
    [
        *(field for field in DOCUMENTS),
        pa.field("split", pa.string(), nullable=False),
        pa.field("num_chars", pa.int64(), nullable=False),
        pa.field("num_words", pa.int64(), nullable=False),
    ]
)


def hash_text(text: str | bytes) -> str:
    """Return the 128-bit BLAKE3 hash of a text's UTF-8 bytes, as 32 hex digits."""
    data = text.encode() if isinstance(text, str) else text
    return blake3(data).hexdigest(_HASH_BYTES)


def hash_texts(texts: Iterable[bytes | memoryview]) -> list[bytes]:
    """Return `hash_text` of each text, as 16 bytes."""
    return [blake3(text).digest(_HASH_BYTES) for text in texts]


def doc_id(source: str, record_key: str) -> str:
    """Return the id of a record: 32 hex digits that depend on source name and record key alone.

    The same record has the same id in every run, and two equal texts have two ids.
    """
    return hash_text(f"{source}\x00{record_key}")


def doc_ids(source: str, record_keys: Iterable[str]) -> list[bytes]:
    """Return `doc_id` of each record of a source, as 16 bytes."""
    name = f"{source}\x00".encode()
    return hash_texts(name + key.encode() for key in record_keys)
