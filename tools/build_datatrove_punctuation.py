"""Write ``datatrove_punctuation.npz``: what datatrove holds for punctuation, as code points.

Its filters look characters up in two sets of ``datatrove.utils.text``, ``PUNCTUATION_SET`` and
``TERMINAL_PUNCTUATION``, which are lists made by hand and no class of Unicode. The package carries
the sets of one version, made by this script, which needs that version installed beside it::

    .venv-peers/bin/python -m tools.build_datatrove_punctuation

Written are ``punctuation`` and ``terminal``, sorted int32, and ``datatrove_version``;
`pipelines.kernels.datatrove_punctuation` reads them.
"""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipelines.kernels.datatrove_punctuation import TABLE_PATH


def build(path: Path) -> None:
    """Write the sets of the installed datatrove to ``path``."""
    from datatrove.utils import text

    np.savez_compressed(
        path,
        punctuation=_sorted_codes(text.PUNCTUATION_SET),
        terminal=_sorted_codes(text.TERMINAL_PUNCTUATION),
        datatrove_version=np.array(version("datatrove")),
    )


def _sorted_codes(chars: Iterable[str]) -> np.ndarray:
    return np.array(sorted(map(ord, chars)), dtype=np.int32)


if __name__ == "__main__":
    build(TABLE_PATH)
