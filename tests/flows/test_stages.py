"""One stage by itself, on a real Prefect server: what it computes, takes, refuses and records."""

from __future__ import annotations

import json
import urllib.request

import pytest

from data_contracts.errors import NotFresh, UsageError
from flows.api import run_stage_alone
from flows.client import drain
from store.runs import get_run, list_runs
from store.storage import Storage

pytestmark = pytest.mark.usefixtures("prefect_api")
NEW_RULE = "policy.rules.a.b=num_words > 12"


@pytest.fixture
def home(tmp_path):
    return str(tmp_path / "home")


@pytest.fixture
def settings(texts):
    for number in range(4, 20):
        (texts / f"part-{number:02d}.jsonl").unlink()
    return [f"ingest.path={texts}", "ingest.max_bundle_file_bytes=1"]


def computed(run):
    return {record.step: record.partitions_computed for record in run.steps}


def flow_run(prefect_api, run):
    (flow_run_id,) = run.flow_runs
    with urllib.request.urlopen(f"{prefect_api}/flow_runs/{flow_run_id}", timeout=10) as answer:
        return json.load(answer)


def test_a_stage_computes_its_own_steps_and_takes_those_before_it(home, settings, prefect_api):
    storage = Storage(home)
    ingested = get_run(storage, run_stage_alone("ingest", "my-text", home, settings))
    assert computed(ingested) == {"ingest": 4}
    first = get_run(storage, run_stage_alone("filter", "my-text", home, settings))
    assert computed(first) == {"ingest": 0, "compute_signals": 4, "apply_policy": 4}
    assert first.step("ingest").why == "taken as it is"
    assert first.step("ingest").dataset == ingested.step("ingest").dataset

    again = get_run(storage, run_stage_alone("filter", "my-text", home, settings))
    assert set(computed(again).values()) == {0}
    name = run_stage_alone("filter", "my-text", home, [*settings, NEW_RULE], run="new-rule")
    changed = get_run(storage, name)
    assert name == "new-rule"
    assert computed(changed) == {"ingest": 0, "compute_signals": 0, "apply_policy": 4}
    assert changed.step("apply_policy").rows_dropped > first.step("apply_policy").rows_dropped

    runs = list(list_runs(storage))
    assert {run.name for run in runs} == {ingested.name, first.name, again.name, name}
    assert [run.state for run in runs] == ["done"] * 4
    shown = flow_run(prefect_api, changed)
    assert (shown["name"], shown["state"]["type"]) == (name, "COMPLETED")


def test_a_stage_refuses_what_is_not_fresh_and_records_why(home, settings, prefect_api):
    with pytest.raises(NotFresh, match="ingest is not fresh"):
        run_stage_alone("filter", "my-text", home, settings, run="too-early")
    run = get_run(Storage(home), "too-early")
    assert (run.state, run.steps) == ("failed", ())
    assert "ingest is not fresh" in run.error
    assert list(Storage(home).list("parts")) == []


def test_an_unknown_stage_is_told(home):
    with pytest.raises(UsageError, match=r"no stage 'filtre'.*filter"):
        run_stage_alone("filtre", "my-text", home)


def test_a_stage_is_a_flow_where_a_server_is_configured(home, settings):
    run_stage_alone("ingest", "my-text", home, settings)
    from flows.stages import filter_documents

    filter_documents(recipe="my-text", home=home, settings=settings, run="by-flow")
    drain()  # or Prefect waits at this process' end for a server that is gone by then
    assert computed(get_run(Storage(home), "by-flow"))["apply_policy"] == 4
