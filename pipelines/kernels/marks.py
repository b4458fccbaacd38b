"""Kernel part: hash signs and ellipses, wherever in a text they stand."""

import numpy as np

from pipelines.kernels.compiled import compiled

_HASH_SIGN, _FULL_STOP, _ELLIPSIS = ord("#"), ord("."), ord("…")


@compiled
def hash_signs_and_ellipses(codes: np.ndarray) -> tuple[int, int]:
    """Return how often "#", and "..." (not overlapping) or "…", stand in a text's code points."""
    num_hash_signs = num_ellipses = num_stops = 0
    for code in codes:
        num_hash_signs += code == _HASH_SIGN
        num_stops = num_stops + 1 if code == _FULL_STOP else 0
        if num_stops == 3 or code == _ELLIPSIS:
            num_ellipses += 1
            num_stops = 0
    return num_hash_signs, num_ellipses
