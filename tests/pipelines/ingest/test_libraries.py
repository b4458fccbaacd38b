"""What another version of a library reads again: pages, and nothing else."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.files import list_parts
from pipelines.ingest.libraries import versions_of


@pytest.mark.parametrize(
    ("path", "extractor", "wanted"),
    [
        ("a.jsonl.gz", "precise", set()),
        ("a.unknown", "precise", set()),
        ("a.html", "fast", {"resiliparse"}),
        ("a.html", "precise", {"trafilatura", "justext", "lxml", "resiliparse"}),
        ("a.warc.gz", "fast", {"fastwarc", "resiliparse"}),
        ("a.zip", "fast", {"fastwarc", "resiliparse", "lxml", "mwparserfromhell"}),
    ],
)
def test_a_file_depends_on_what_it_is_read_with(path, extractor, wanted):
    found = versions_of([path], IngestConfig(extractor=extractor))
    assert found == {name: version(name) for name in wanted}


def test_versions_count_in_partitions_of_pages_alone(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}')
    (tmp_path / "b.html").write_text("<p>two</p>")
    config = IngestConfig("files", path=str(tmp_path), max_bundle_file_bytes=1, extractor="fast")
    settings = {part.key: part.settings for part in list_parts(config)}
    versions = {"resiliparse": version("resiliparse")}
    assert settings == {"a.jsonl": {}, "b.html": {"libraries": versions}}
