"""The top: wiring, order, retries, schedules, gates. The only home of Prefect.

``from flows import run_recipe`` gives the flow that joins all stages; Prefect is imported then, not
before.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "run_recipe":
        from flows.api import run_recipe

        return run_recipe
    raise AttributeError(f"module 'flows' has no attribute {name!r}")
