"""Measures of a text that policies decide on: one file per family of signals.

To add a family: write ``pipelines/signals/<family>.py`` with one ``FAMILY``, add it to ``FAMILIES``
in `pipelines.signals.registry`, test it in ``tests/pipelines/signals/test_<family>.py``, and raise
``VERSION`` in `pipelines.compute_signals`. Loops over bytes belong in `pipelines.kernels`; a family
imports its kernel inside its function, so that looking at the schema does not load numba.
"""

from pipelines.signals.registry import FAMILIES, SIGNALS_SCHEMA, signal_names

__all__ = ["FAMILIES", "SIGNALS_SCHEMA", "signal_names"]
