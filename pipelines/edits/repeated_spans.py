"""Taking spans out of texts that stand earlier in the corpus, byte for byte.

Which spans those are says `pipelines.dedupe.find_repeats`, which has seen all documents; so this is
no edit of `pipelines.edits.registry`, whose result depends on one text alone. Of a character that
lies in a span with a part of its bytes only, all stay.
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
        "num_repeated_spans",
        "stretches of text",
        "Stretches that were taken out since all of their bytes stand earlier in the corpus, in "
        "copies of a least length; those that touch count once.",
    ),
    count_field(
        "num_repeated_span_bytes",
        "bytes",
        "Bytes of UTF-8 that went with those spans, repeated lines left out.",
    ),
)


def cut_spans(
    texts: TextBuffers, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[Spans, np.ndarray]:
    """Return what to cut for some spans, and how many stretches that makes of each text, int64.

    Span ``s`` is ``data[starts[s]:ends[s]]`` of the texts and lies in text ``rows[s]``.
    """
    from pipelines.kernels.cuts import join_spans, whole_characters

    cut = whole_characters(texts, join_spans(texts.num_texts, rows, starts, ends))
    return cut, np.diff(cut.offsets)
