"""What tokenizers make of some text: bytes per token, by source, and pieces they never use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from sentencepiece import SentencePieceProcessor

from data_contracts.tokenizer import pieces_of
from pipelines.tokenizer.sample import draw_sample
from store.step import Part

MEASURED_BYTES = 1 << 20

Texts = Mapping[str, list[str]]  # by source


def measure(
    model: bytes, parts: Iterable[Part], others: Mapping[str, bytes] | None = None
) -> dict[str, Any]:
    """Return what is measured of up to a mebibyte of held-out text, or of train text.

    ``measured_on`` is the split, ``compared`` has what ``measure_texts`` tells of each of the other
    models on the same texts, by name, where there are others. Of no text only the ids are counted.
    """
    parts = list(parts)
    sample = draw_sample(parts, "heldout", MEASURED_BYTES)
    if sample.num_bytes == 0:
        sample = draw_sample(parts, "train", MEASURED_BYTES)
    if sample.num_bytes == 0:
        return {"num_pieces": SentencePieceProcessor(model_proto=model).vocab_size()}
    texts = sample.texts_by_source(parts)
    facts = {**measure_texts(model, texts), "measured_on": sample.split}
    if others:
        facts["compared"] = {name: measure_texts(data, texts) for name, data in others.items()}
    return facts


def measure_texts(model: bytes, texts: Texts) -> dict[str, Any]:
    """Return what a model makes of texts.

    ``bytes_per_token`` is UTF-8 bytes of text, BOS and EOS not counted; ``unused_pieces`` counts
    the pieces and symbols of ``num_pieces`` ids that none of them uses, special ids and bytes left
    out;
    ``by_source`` and ``unused_by_source`` the same of each source's texts among them, by name.
    ``changed_texts`` counts texts that their ids do not decode to.
    """
    from pipelines.tokenizer.encoder import ChunkEncoder  # here: it compiles

    encoder = ChunkEncoder(model)
    processor = SentencePieceProcessor(model_proto=model)
    is_piece = pieces_of(processor)
    used, sizes, num_changed = {}, {}, 0
    for source, of_source in texts.items():
        used[source], num_tokens, changed = _counted(encoder, processor, of_source)
        sizes[source] = (sum(len(text.encode()) for text in of_source), num_tokens)
        num_changed += changed
    num_bytes, num_tokens = (sum(column) for column in zip(*sizes.values(), strict=True))
    unused = {name: _count(is_piece & ~is_used) for name, is_used in used.items()}
    return {
        "num_pieces": processor.vocab_size(),
        "bytes_per_token": num_bytes / num_tokens,
        "by_source": {name: size / count for name, (size, count) in sizes.items() if count},
        "unused_pieces": _count(is_piece & ~np.logical_or.reduce(list(used.values()))),
        "unused_by_source": unused,
        "changed_texts": num_changed,
    }


def _counted(encoder: Any, processor: Any, texts: list[str]) -> tuple[np.ndarray, int, int]:
    """Return which ids texts use, bool [V], how many tokens they are, and how many are changed."""
    from pipelines.tokenizer.exact_ids import encode_exactly

    offsets, ids = encode_exactly(encoder, pa.array(texts, pa.large_string()))
    bounds = pairwise(offsets.tolist())
    decoded = (processor.decode(ids[start:end].tolist()) for start, end in bounds)
    num_changed = sum(one != other for one, other in zip(decoded, texts, strict=True))
    is_used = np.zeros(processor.vocab_size(), np.bool_)
    is_used[ids] = True
    return is_used, ids.size, num_changed


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))
