"""The short names of normalised texts, by which the search for near-duplicates knows them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_HEX_DIGITS = 16  # 64 bits


def text_keys(normal_hashes: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return the first 64 bits of hashes of normalised texts, as uint64.

    Texts can be made that share a key: whoever reads texts by their keys gets all of them.
    """
    heads = pc.utf8_slice_codeunits(normal_hashes, 0, _HEX_DIGITS)
    digits = "".join(heads.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)
