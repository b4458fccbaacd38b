from __future__ import annotations

import pytest

from data_contracts.errors import RecipeError
from pipelines.ingest.config import IngestConfig
from store.identity import counted_fields


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "jsonl"),
        ("encoding_errors", "ignore"),
        ("bundles", 0),
        ("max_bundle_file_bytes", -1),
        ("max_record_bytes", 0),
        ("text_field", ""),
        ("distributions", ("numpy", "../etc")),
        ("distributions", ("torch:0",)),
        ("extractor", "readability"),
        ("max_page_bytes", 30_000_000),
        ("max_page_nodes", 0),
        ("max_page_depth", 251),
        ("http_statuses", ()),
        ("http_statuses", (20,)),
    ],
)
def test_an_impossible_value_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=rf"ingest\.{key}"):
        IngestConfig(**{key: value})


def test_the_source_is_called_by_its_kind_unless_named() -> None:
    assert IngestConfig().source == "python-docs"
    assert IngestConfig(kind="files").source == "files"
    assert IngestConfig(kind="files", source="mine").source == "mine"


def test_where_files_lie_and_how_they_are_grouped_is_no_part_of_identity() -> None:
    here = IngestConfig(kind="files", path="/a", bundles=3, distributions=("numpy",))
    there = IngestConfig(kind="files", path="/b")
    assert counted_fields(here) == counted_fields(there)
    assert counted_fields(here) != counted_fields(IngestConfig(kind="files", text_field="body"))
