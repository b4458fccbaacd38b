import pytest

from pipelines.kernels.cache import use_cache_dir


def pytest_configure(config: pytest.Config) -> None:
    use_cache_dir(config.rootpath / ".pytest_cache" / "kernels")
