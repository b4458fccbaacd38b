"""The first stage: whatever raw text people have becomes rows of `DOCUMENTS`.

``ingest.py`` assembles the step from source kinds. A kind is a module with a function that lists
partitions and one that reads one of them: ``python_docs.py`` (with ``docstrings.py``) and
``files.py`` (with ``jsonl.py``). They share ``listing.py`` (files to partitions), ``opening.py``
(read a file and prove that it is the listed one), ``lines.py`` (bytes to framed records),
``text.py`` (clean one text) and ``rows.py`` (records to rows and quarantine).
"""
