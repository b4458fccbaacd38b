"""Taking lines out of texts that many documents of their site have.

Which lines those are says `pipelines.dedupe.choose_lines`, which has seen all documents; so this is
no edit of `pipelines.edits.registry`, whose result depends on one text alone. A line goes with the
break that ends it, and with blank lines that would be left over
(`pipelines.kernels.cuts.with_blank_lines`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.signals.family import count_field

if TYPE_CHECKING:
    from pipelines.kernels.line_forms import Spans

FIELDS = (
    count_field(
        "num_repeated_lines",
        "lines",
        "Lines (or paragraphs) that were taken out since many documents of the site have them.",
    ),
    count_field(
        "num_repeated_line_bytes",
        "bytes",
        "Bytes of UTF-8 that went with those lines: their breaks, and blank lines between them.",
    ),
)


def cut_lines(
    texts: TextBuffers, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[Spans, np.ndarray]:
    """Return what to cut for some lines, and how many each text loses, int64.

    Line ``l``, with its break, is ``data[starts[l]:ends[l]]`` of the texts and lies in text
    ``rows[l]``.
    """
    from pipelines.kernels.cuts import join_spans, with_blank_lines

    cut = with_blank_lines(texts, join_spans(texts.num_texts, rows, starts, ends))
    return cut, np.bincount(rows, minlength=texts.num_texts).astype(np.int64)
