"""The first stage: whatever raw text people have becomes rows of `data_contracts.documents.DOCUMENTS`.

``ingest.py`` assembles the step. A source kind is a pair of functions, one that lists partitions and
one that reads one partition (``python_docs.py``, ``files.py``); the parts that kinds share are
``listing.py`` (files to partitions), ``opening.py`` (read a file and check that it is the listed one),
``lines.py`` (bytes to framed records), ``jsonl.py`` (a line to a record), ``text.py`` (clean one text)
and ``rows.py`` (records to rows and quarantine).
"""
