"""Measures of a text that policies decide on: one file per family of signals.

To add a family: write ``pipelines/signals/<family>.py`` with one ``FAMILY``, add it to ``FAMILIES``
in `pipelines.signals.registry`, and test it in ``tests/pipelines/signals/test_<family>.py``. Loops
over characters belong in `pipelines.kernels`; a family imports its kernel inside its function, so
that looking at the schema does not load numba.
"""
