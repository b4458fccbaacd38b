"""Edits: new text from text, with facts of what was taken; one file a way of editing.

To add one, write ``pipelines/edits/<name>.py``, list it in `pipelines.edits.registry` and test it.
Loops over characters belong in `pipelines.kernels`; an edit imports its kernels inside its
function, so that looking at its fields does not load numba.
"""
