"""The first stage: whatever raw text people have becomes rows of `DOCUMENTS`.

``ingest.py`` assembles the step from source kinds, ``sources.py`` the same step of several sources.
A kind is a module with a function that lists partitions and one that reads one of them:
``python_docs.py`` (with ``docstrings.py``) and ``files.py``. Files are read in layers, each of
which knows nothing of the next:

* where they lie: ``local_root.py``, ``remote_root.py`` (with ``listing.py``: files to partitions,
  ``opening.py``: read a file and prove that it is the listed one);
* how they are packed: ``compressed.py`` (with ``inflate.py``), ``archives.py`` (with
  ``tar_headers.py`` and ``zip_headers.py``); ``suffixes.py`` says it by the name;
* what is in them, ``formats.py``: ``jsonl.py`` (with ``simple_lines.py``), ``json_values.py``,
  ``separated.py``, ``columnar.py``, ``whole_text.py``, each a function from one
  stream and its `Place` to records.

They share ``streams.py``, ``lines.py`` (bytes to framed lines), ``fields.py`` (fields to a record),
``text.py`` (clean one text), ``rows.py`` (what a record is) and ``batches.py`` (records to rows and
quarantine).

Web pages: ``html.py`` reads files of them; ``extract.py`` hands them to processes, in which
``page.py`` decodes (``page_encoding.py``), measures and reads it, by ``extract_precise.py`` or
``extract_fast.py``. Archives of a crawl: ``gzip_members.py`` and ``warc_frames.py`` find the
records, whatever is damaged, ``warc.py`` reads them and ``http_body.py`` undoes their encodings.
Wikipedia: ``wikipedia_pages.py`` finds the pages of a dump, ``wikipedia.py`` reads them, and
``wikitext.py`` makes prose of them (``wikitext_spans.py`` takes out what is none).
"""
