"""Compiled loops over the characters of Arrow string columns.

One file per kernel: a numba loop that fills integers and the Python function that calls it. They
know no schema and no step. Most get a batch decoded and divided into words (`decoded`); those that
write text read its UTF-8. Importing a kernel imports numba (0.4 s), so steps import them inside
their run function; this package, `buffers`, `cache`, `decoded` and the tables (``*_table``,
`datatrove_punctuation`) do not import it.
"""
