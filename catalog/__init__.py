"""The read model: what a person or a program may ask of a home. DuckDB over Parquet, read only.

::

    import catalog

    run = catalog.open_run("millrace-home")  # the latest; or open_run(home, "name")
    run.documents(["text", "url"], split="train")  # an Arrow table
    run.sql("SELECT reason, count(*) FROM apply_policy GROUP BY ALL")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.opened import OpenedRun, open_run

__all__ = ["OpenedRun", "open_run"]


def __getattr__(name: str) -> Any:
    """Import `catalog.opened`, and with it DuckDB and Arrow, when something of it is asked for."""
    if name in __all__:
        from catalog import opened

        return getattr(opened, name)
    raise AttributeError(f"module 'catalog' has no attribute {name!r}")
