from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.accounts import check_source
from catalog.passed_over import passed_over, told_of
from catalog.trace import trace
from data_contracts.errors import NotFound
from store.datasets import Dataset


def test_what_was_passed_over_is_summed_by_reason(finished: Any) -> None:
    dataset = finished.datasets()["ingest"]
    assert passed_over(dataset) == {"fake.blank": 6}
    ignored = {"num_files_ignored": 1000, "num_members_ignored": 7}
    parts = (replace(dataset.parts[0], facts=ignored), *dataset.parts[1:])
    assert told_of(passed_over(Dataset("ingest", parts))) == (
        "Passed over on purpose: 1,000 files of no format, "
        "7 members of archives, of no format, 4 fake.blank"
    )
    assert told_of({}) == ""


def told_otherwise(finished: Any, **facts: Any) -> Dataset:
    parts = finished.datasets()["ingest"].parts
    return Dataset("ingest", (replace(parts[0], facts=facts), *parts[1:]))


def test_what_was_passed_over_is_held_against_what_was_framed(finished: Any) -> None:
    reasons = {"skipped": {"fake.blank": 1}}
    for facts, said in (
        ({"records_framed": 54, "records_skipped": 2, "skipped": {"a": 2}}, "54 records were fra"),
        ({"records_framed": 53, "records_skipped": 2, **reasons}, "2 records were passed over"),
        ({"records_framed": 53, "records_skipped": 2}, "2 records were passed over"),
    ):
        _, (finding,) = check_source(finished.storage, told_otherwise(finished, **facts))
        assert str(finding).startswith(said)


@pytest.mark.parametrize("facts", [{}, {"skipped": {"fake.blank": 9}}])
def test_an_older_receipt_frames_without_what_was_passed_over(finished: Any, facts: Any) -> None:
    older = told_otherwise(finished, records_framed=51, **facts)
    assert check_source(finished.storage, older)[1] == []


def test_a_trace_of_a_reason_says_how_many_there_are(finished: Any) -> None:
    with pytest.raises(NotFound, match=r"6 records of run first were passed over as 'fake.blank'"):
        trace(finished.storage, finished.run, "fake.blank")
