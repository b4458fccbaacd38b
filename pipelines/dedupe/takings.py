"""What is taken out of documents since it stands elsewhere in the corpus, and where."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import UsageError
from pipelines.text_slices import one_array

# Stretches of bytes, each with a place that has the same: for lines in normalised form, for spans
# byte by byte. Rows of one document are ordered; those of spans do not overlap.
TAKINGS = pa.schema(
    [
        pa.field("part_key", pa.string(), nullable=False),  # partition of the document; slices
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("start_byte", pa.int64(), nullable=False),  # of the text's UTF-8
        pa.field("end_byte", pa.int64(), nullable=False),
        pa.field("partner_id", pa.string(), nullable=False),  # a document that has the same
        pa.field("partner_start_byte", pa.int64(), nullable=False),
    ]
)


def by_document(
    takings: pa.Table, doc_ids: pa.ChunkedArray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(rows, starts, ends)`` of takings, int64, ordered by the row of their document.

    ``sizes`` are the bytes of the documents' texts. Raises `UsageError` for takings of a document
    that is not there, and of bytes that it does not have: they belong to another text.
    """
    found = pc.index_in(takings["doc_id"], value_set=one_array(doc_ids))
    rows = found.fill_null(-1).to_numpy().astype(np.int64)
    starts, ends = takings["start_byte"].to_numpy(), takings["end_byte"].to_numpy()
    fits = (rows >= 0) & (starts >= 0) & (starts <= ends)
    fits[fits] &= ends[fits] <= sizes[rows[fits]]
    if not fits.all():
        stranger = takings.slice(int(np.argmin(fits)), 1).to_pylist()[0]
        raise UsageError(
            f"Bytes {stranger['start_byte']} to {stranger['end_byte']} are to be taken out of "
            f"document {stranger['doc_id']}, which does not have them; look for repeats in the "
            "very documents that are edited."
        )
    order = np.argsort(rows, kind="stable")
    return rows[order], starts[order], ends[order]
