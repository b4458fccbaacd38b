"""What a tokenizer makes of some text: bytes per token, by source, and pieces it never uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.tokenizer.model_proto import PieceType, read_spec
from pipelines.tokenizer.sample import draw_sample
from store.step import Part

MEASURED_BYTES = 1 << 20


def measure(model: bytes, parts: Iterable[Part]) -> dict[str, Any]:
    """Return what is measured of up to a mebibyte of held-out text, or of train text.

    ``bytes_per_token`` is UTF-8 bytes of text, BOS and EOS not counted; ``by_source`` the same of
    each source's texts among them, by name. ``unused_pieces`` counts the pieces of ``num_pieces``
    ids that none of them uses, special symbols and bytes left out. ``measured_on`` is the split.
    Of no text only the ids are counted.
    """
    from pipelines.tokenizer.encoder import ChunkEncoder  # here: it compiles

    parts, spec, encoder = list(parts), read_spec(model), ChunkEncoder(model)
    sample = draw_sample(parts, "heldout", MEASURED_BYTES)
    if sample.num_bytes == 0:
        sample = draw_sample(parts, "train", MEASURED_BYTES)
    if sample.num_bytes == 0:
        return {"num_pieces": len(spec.pieces)}
    is_used = np.zeros(len(spec.pieces), np.bool_)
    sizes: dict[str, tuple[int, int]] = {}
    for source, texts in sample.texts_by_source(parts).items():
        ids = encoder.encode(pa.array(texts, pa.large_string())).ids
        is_used[ids] = True
        sizes[source] = (sum(len(text.encode()) for text in texts), ids.size)
    is_learnt = np.array([piece.type is PieceType.NORMAL for piece in spec.pieces])
    num_bytes, num_tokens = (sum(column) for column in zip(*sizes.values(), strict=True))
    return {
        "num_pieces": len(spec.pieces),
        "bytes_per_token": num_bytes / num_tokens,
        "by_source": {name: size / count for name, (size, count) in sizes.items() if count},
        "unused_pieces": int(np.count_nonzero(is_learnt & ~is_used)),
        "measured_on": sample.split,
    }
