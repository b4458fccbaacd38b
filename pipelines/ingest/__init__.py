"""The first stage: whatever raw text people have becomes rows of `DOCUMENTS`.

``ingest.py`` assembles the step from source kinds. A kind is a module with a function that lists
partitions and one that reads one of them: ``python_docs.py`` (with ``docstrings.py``) and
``files.py`` (with ``jsonl.py``). They share ``listing.py`` (files to partitions), ``opening.py``
(read a file and prove that it is the listed one), ``lines.py`` (bytes to framed records),
``text.py`` (clean one text) and ``rows.py`` (records to rows and quarantine).

Web pages: ``html.py`` reads files of them; ``extract.py`` hands each to a process, in which
``page.py`` decodes (``page_encoding.py``), measures and reads it, by ``extract_precise.py`` or
``extract_fast.py``. Archives of a crawl: ``gzip_members.py`` and ``warc_frames.py`` find the
records, whatever is damaged, ``warc.py`` reads them and ``http_body.py`` undoes their encodings.
Wikipedia: ``wikipedia_pages.py`` finds the pages of a dump, ``wikipedia.py`` reads them, and
``wikitext.py`` makes prose of them (``wikitext_spans.py`` takes out what is none). A reader of one
stream is told where it stands by ``place.py``.
"""
