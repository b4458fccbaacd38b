"""The one decorator of every kernel.

Kernels are fast where the innermost loop calls functions of numbers only: an array handed to a call
costs more than the work on a character, because numba counts its references. So arrays are handed
on once per text (`pipelines.kernels.utf8`), and loops over characters read arrays themselves.
"""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop on its first call, without the GIL, and keep the machine code for next time.

    Where there is no folder to keep it in (the package and ``~/.cache`` are read-only and
    `pipelines.kernels.cache.use_cache_dir` was not called), each process compiles for itself.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return numba.njit(nogil=True)(function)
