"""Where compiled kernels are kept between processes."""

import hashlib
import os
import sys
from pathlib import Path

from data_contracts.errors import ReadOnlyHome


def use_cache_dir(path: str | Path) -> Path:
    """Keep compiled kernels in a folder under ``path``, and return that folder.

    Call it in ``main()``, before the first kernel is imported: kernels that were imported earlier
    stay where they were. The folder is named by the digest of the kernels' sources, because numba
    looks at the changes of one file only and would go on using a loop whose helper has changed.
    Dask workers and other processes started later inherit it through ``NUMBA_CACHE_DIR``.

    ``path`` must be a local folder that only trusted people can write to: numba runs what lies
    there. Raises `ReadOnlyHome` if it cannot be created or written.
    """
    folder = Path(path) / f"numba-{_sources_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReadOnlyHome(_advice(folder, str(error))) from error
    if not os.access(folder, os.W_OK):
        raise ReadOnlyHome(_advice(folder, "it is not writable"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # it has read the environment already
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def _sources_digest() -> str:
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _advice(folder: Path, problem: str) -> str:
    return (
        f"The folder for compiled kernels {folder} cannot be used: {problem}; "
        "choose a folder that this user can write to."
    )
