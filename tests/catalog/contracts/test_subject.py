"""A stored dataset as a subject: its partitions, what its receipts say, and what is new in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.contracts.subject import BASELINE, DATASETS, PARTITIONS, QUARANTINED, STEPS, subject_of
from catalog.relations import ask_rows, connect
from store.datasets import Dataset


@pytest.fixture(scope="module")
def datasets(finished: Any) -> dict[str, Dataset]:
    return finished.datasets()


def asked(checked: Any, sql: str) -> list[tuple[Any, ...]]:
    with connect(checked.views()) as connection:
        return [tuple(row.values()) for row in ask_rows(connection, sql)]


def test_every_step_with_documents_has_a_name_that_leads_back_to_it():
    assert {STEPS[name]: name for name in STEPS} == DATASETS
    assert len(DATASETS) == 15


def test_views_are_the_rows_the_receipts_the_quarantine_and_the_others(finished, datasets):
    upstream = {step: datasets[step] for step in ("ingest", "compute_signals")}
    checked = subject_of(finished.storage, datasets["ingest"], upstream)
    assert set(checked.views()) == {
        *("documents", "read", "rows", "signals"),
        *(PARTITIONS, QUARANTINED),
    }
    assert asked(checked, "SELECT count(*), count(DISTINCT part) FROM rows") == [(150, 3)]
    assert asked(checked, "SELECT count(*) FROM documents JOIN signals USING (doc_id)") == [(150,)]
    assert asked(checked, "SELECT count(*) FROM quarantined") == [(3,)]
    receipts = asked(checked, "FROM partitions SELECT part, num_in, kept, quarantined, facts")
    assert receipts == [
        (part.key, part.rows.num_in, part.rows.kept, part.rows.quarantined, json.dumps(part.facts))
        for part in datasets["ingest"].parts
    ]
    assert (
        asked(checked, "SELECT (facts->>'records_framed')::INTEGER FROM partitions") == [(53,)] * 3
    )


def test_a_partition_has_its_own_schema_digest_and_files(finished, datasets):
    checked = subject_of(finished.storage, datasets["split"], {})
    assert [(part.key, part.digest) for part in checked.parts] == [
        (part.key, part.digest) for part in datasets["split"].parts
    ]
    for part in checked.parts:
        assert part.schema.names == ["doc_id", "keep", "reason", "values", "split"]
        assert part.stored is not None
        assert part.rows.count_rows() == part.stored.num_rows > 0


def test_what_is_new_is_what_the_baseline_has_not(finished, datasets):
    whole = datasets["ingest"]
    first = Dataset("ingest", whole.parts[:2])
    alone = subject_of(finished.storage, whole, {})
    assert (alone.baseline, alone.new_parts) == (None, {part.key for part in whole.parts})
    checked = subject_of(finished.storage, whole, {}, first)
    assert checked.new_parts == {whole.parts[2].key}
    assert asked(checked, "SELECT count(*) FROM baseline") == [(100,)]
    assert subject_of(finished.storage, whole, {}, whole).new_parts == set()


def test_identity_is_of_what_else_is_read(finished, datasets):
    baseline = Dataset("ingest", datasets["ingest"].parts[:1])
    others = {"compute_signals": datasets["compute_signals"]}
    checked = subject_of(finished.storage, datasets["ingest"], others, baseline)
    assert checked.dataset == datasets["ingest"].fingerprint
    assert checked.identity == {
        "signals": datasets["compute_signals"].fingerprint,
        BASELINE: baseline.fingerprint,
    }


def test_a_dataset_without_partitions_is_a_subject_too(finished):
    checked = subject_of(finished.storage, Dataset("ingest", ()), {})
    assert (checked.parts, checked.new_parts) == ((), frozenset())
    assert asked(checked, "SELECT count(*) FROM rows") == [(0,)]
    assert asked(checked, "SELECT count(*) FROM partitions") == [(0,)]
