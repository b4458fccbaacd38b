"""Compiled loops over the UTF-8 bytes of Arrow string columns.

One file per kernel: a numba loop that fills integers and the Python function that calls it. They
know no schema and no step. Importing a kernel imports numba (0.4 s), so steps import them inside
their run function; this package, `buffers`, `cache` and `unicode_table` do not import it.
"""
