"""What every test stands on: no telemetry, no settings of the person running them, Hypothesis."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pipelines.kernels.cache import use_cache_dir

# A shell that starts the tests in the background has them, and all they start, ignore SIGINT.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
}
KEPT = {"MILLRACE_SHARED_DATA"}
PERSONAL = ("MILLRACE_", "PREFECT_", "AWS_", "XDG_")

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile (HYPOTHESIS_PROFILE, or "ci" where CI is set, or "dev").

    Machine code of kernels is kept by the digest of all their sources: no old code is tested.
    """
    use_cache_dir(_kernels_of(config))
    settings.load_profile(
        os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
    )


def _kernels_of(config: pytest.Config) -> Path:
    checked = "-checked" if os.environ.get("NUMBA_BOUNDSCHECK") else ""
    return config.rootpath / ".pytest_cache" / f"kernels{checked}"


@pytest.fixture(autouse=True, scope="session")
def clean_environment(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[None]:
    """Give tests, and every process they start, a HOME and none of a person's settings.

    There is nothing in HOME but the kernels' machine code, lest each process compiles its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - KEPT:
            if name.startswith(PERSONAL):
                patch.delenv(name)
        for name, value in NO_TELEMETRY.items():
            patch.setenv(name, value)
        home = tmp_path_factory.mktemp("home")
        (home / ".millrace").mkdir()
        (home / ".millrace" / "kernels").symlink_to(_kernels_of(pytestconfig))
        patch.setenv("HOME", str(home))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public test collections named by MILLRACE_SHARED_DATA, or skip."""
    named = os.environ.get("MILLRACE_SHARED_DATA")
    if not named:
        pytest.skip("MILLRACE_SHARED_DATA names no folder of public test collections")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"MILLRACE_SHARED_DATA is {folder}, which is not a folder")
    return folder
