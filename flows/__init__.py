"""The top: wiring, order, retries, schedules, gates. The only home of Prefect.

``from flows import curate`` gives the flow that joins all stages; Prefect is imported then, not
before.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "curate":
        from flows.api import curate

        return curate
    raise AttributeError(f"module 'flows' has no attribute {name!r}")
