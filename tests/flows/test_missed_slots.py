"""Which run of a schedule is needless, as far as it needs no server to tell."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from flows import missed_slots
from flows.missed_slots import needless

DUE = datetime(2026, 1, 1, 3, tzinfo=UTC)
NIGHTLY = {"recipe": "my-text", "home": "/home", "settings": []}


def flow_run(parameters, seconds, by_schedule):
    """A run of one deployment that began so many seconds after its slot."""
    return FlowRun(
        id=uuid4(),
        flow_id=uuid4(),
        deployment_id=uuid4(),
        parameters=parameters,
        auto_scheduled=by_schedule,
        expected_start_time=DUE,
        start_time=DUE + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("parameters", "seconds", "is_needless"),
    [
        (NIGHTLY, 1, True),
        (NIGHTLY, 9, False),
        ({**NIGHTLY, "only": "split"}, 1, False),
        ({**NIGHTLY, "settings": ["split.seed=7"]}, 1, False),
    ],
)
def test_only_a_run_of_the_same_parameters_does_a_slots_work(
    monkeypatch, parameters, seconds, is_needless
):
    this, other = flow_run(NIGHTLY, 5, True), flow_run(parameters, seconds, False)

    def read(flow_run_filter, sort, limit, offset, **of):
        return [other, this][offset:]

    client = SimpleNamespace(read_flow_run=lambda _: this, read_flow_runs=read)
    here = SimpleNamespace(flow_run=SimpleNamespace(id=this.id))
    monkeypatch.setattr(missed_slots, "runtime", here)
    monkeypatch.setattr(
        missed_slots, "get_client", lambda sync_client: contextlib.nullcontext(client)
    )
    said = needless()
    assert (said is not None) == is_needless
    assert said is None or str(other.id) in said
