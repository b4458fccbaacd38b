"""How far a text compresses: much repetition has a high ratio, noise one near 1.

The encoder is our own, so that the value is the same on every machine
(`pipelines.kernels.compression`).
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, divide, ratio_field

_FIELDS = (
    ratio_field(
        "compression_ratio",
        "bytes per byte",
        "Bytes of the text in UTF-8 for each byte of its LZ4 block, as our greedy encoder with a "
        "window of 64 KiB makes it; 0.0 for an empty text, slightly under 1 for a short one, at "
        "most about 255.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.compression import compressed_sizes

    sizes = compressed_sizes(texts.buffers)
    return {"compression_ratio": divide(np.diff(texts.buffers.offsets), sizes)}


FAMILY = Family("compression", _FIELDS, _measure, always=False)
