"""The families of signals in the order of their columns, and the schema that they make."""

import pyarrow as pa

from pipelines.signals import characters, lines, sentences, words
from pipelines.signals.family import Family

FAMILIES: tuple[Family, ...] = (
    characters.FAMILY,
    words.FAMILY,
    lines.FAMILY,
    sentences.FAMILY,
)


def signal_names() -> tuple[str, ...]:
    """Return the names of all signals, in the order of their columns."""
    return tuple(field.name for family in FAMILIES for field in family.fields)


# One row per document, in the documents' order. Each signal's field has the metadata
# `description` (what it measures) and `unit`.
SIGNALS_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        *(field for family in FAMILIES for field in family.fields),
    ]
)
