"""Write ``datatrove_permutations.npz``: the permutations of datatrove's MinHash.

datatrove draws them with ``numpy.random.RandomState(1)`` for 14 buckets of 8, factors before
terms (``parameters`` of ``datatrove/pipeline/dedup/minhash.py``); another number of them would have
other terms. The package carries the numbers, made by this script::

    python -m tools.build_datatrove_permutations

Written are ``factors`` and ``terms``, uint64; `pipelines.kernels.datatrove_minhash` reads them.
"""

from pathlib import Path

import numpy as np

from pipelines.kernels.datatrove_minhash import NUM_BANDS, NUM_ROWS, TABLE_PATH

_SEED, _PRIME = 1, 2**61 - 1


def build(path: Path) -> None:
    """Write the numbers to ``path``."""
    drawn = np.random.RandomState(_SEED)
    size = NUM_BANDS * NUM_ROWS
    factors = drawn.randint(1, _PRIME, dtype=np.uint64, size=size)
    terms = drawn.randint(0, _PRIME, dtype=np.uint64, size=size)
    np.savez_compressed(path, factors=factors, terms=terms)


if __name__ == "__main__":
    build(TABLE_PATH)
