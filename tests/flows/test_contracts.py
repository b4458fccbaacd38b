"""The gate behind each step, through Prefect: what a broken contract stops, and what runs again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_texts import write_lines

from store.accepted import accepted_runs, baseline_of
from store.runs import get_run
from store.storage import Storage

pytestmark = pytest.mark.usefixtures("prefect_api")

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: test.signals
name: signals
version: {version}
status: active
team: {{name: the tests}}
schema:
  - name: signals
    properties:
      - {{name: doc_id, logicalType: string, physicalType: string, required: true, unique: true}}
      - name: num_words
        logicalType: integer
        physicalType: int64
        quality:
          - name: enough
            type: custom
            engine: greatExpectations
            severity: {severity}
            implementation:
              type: expect_column_values_to_be_between
              kwargs: {{min_value: {least}}}
            customProperties:
              - {{property: remedy, value: Look at what was read.}}
    quality:
      - name: drift
        description: As many words as in the baseline.
        type: custom
        engine: millrace
        severity: {drift}
        implementation: {{measure: drift, of: num_words, rows: new, min_rows: 10, bins: 3,
          mustBeLessOrEqualTo: 1.0}}
"""


def contract(path: Path, least=1, severity="stop", drift="warn", version="1.0.0") -> Path:
    text = CONTRACT.format(least=least, severity=severity, drift=drift, version=version)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def held(millrace, texts, tmp_path):
    """Run my-text with a contract of signals in the place of the shipped one."""
    home = str(tmp_path / "home")
    file = contract(tmp_path / "signals.yaml")
    base = ["--home", home, "--set", f"ingest.path={texts}"]
    base += ["--set", "ingest.max_bundle_file_bytes=1", "--set", f'contracts.files=["{file}"]']

    def run(*words):
        answer = millrace("run", "my-text", *base, *words)
        answer.run = get_run(Storage(home), None)
        answer.computed = {s.step: s.partitions_computed for s in answer.run.steps}
        return answer

    run.home, run.file, run.storage = home, file, Storage(home)
    return run


def result_of(run, storage, step="compute_signals"):
    return json.loads(storage.read(run.checks[step]))


def test_a_broken_contract_stops_twice_and_computes_nothing_the_second_time(held):
    contract(held.file, least=16)  # every text has 15 words
    first = held("--run", "first")
    assert first.code == 3
    sentence = first.value["error"]
    assert "num_words.enough (expect_column_values_to_be_between(" in sentence
    assert "broken by 200 of 200 values" in sentence
    assert sentence.count("doc_id=") == 10
    assert "Look at what was read." in sentence
    assert "checks/index.html" in sentence
    assert [step.step for step in first.run.steps] == ["ingest", "compute_signals"]
    assert first.run.state == "failed"
    assert first.run.step("compute_signals").state == "failed"
    assert first.run.step("compute_signals").dataset is not None
    again = held("--run", "second")
    assert again.code == 3
    assert again.computed == {"ingest": 0, "compute_signals": 0}
    assert again.value["error"].replace("second", "first") == sentence
    assert again.run.checks == first.run.checks
    assert list(accepted_runs(held.storage)) == []


def test_a_stopped_run_says_so_where_people_look(held, millrace):
    contract(held.file, least=16)
    assert held("--run", "first").code == 3
    report = held.storage.read("runs/first/report.html").decode()
    assert "num_words.enough" in report
    page = held.storage.read("checks/index.html").decode()
    assert "num_words.enough" in page
    status = millrace("status", "--home", held.home).value
    states = {step["step"]: step["state"] for step in status["steps"]}
    assert states["compute_signals"] == "failed"
    assert "num_words.enough" in status["steps"][1]["why"]


def test_only_does_not_pass_a_broken_contract_before_it(held):
    contract(held.file, least=16)
    held()
    alone = held("--only", "apply_policy")
    assert alone.code == 3
    assert "apply_policy" not in alone.computed


def test_a_contract_edit_runs_checks_only(held):
    first = held()
    assert (first.code, first.computed["compute_signals"]) == (0, 20)
    before = result_of(first.run, held.storage)
    assert (before["num_parts_checked"], before["state"]) == (20, "passed")
    contract(held.file, least=2)
    edited = held()
    assert edited.code == 0
    assert set(edited.computed.values()) == {0}
    after = result_of(edited.run, held.storage)
    assert after["num_parts_checked"] == 20
    changed = {s for s in first.run.checks if first.run.checks[s] != edited.run.checks[s]}
    assert "compute_signals" in changed


def test_a_night_checks_the_new_partition_only(held, texts):
    held()
    write_lines(texts / "part-20.jsonl", range(200, 210))
    more = held()
    assert more.code == 0
    result = result_of(more.run, held.storage)
    assert (result["num_parts"], result["num_parts_checked"]) == (21, 1)


def test_a_run_whose_checks_pass_is_the_next_ones_baseline(held, texts):
    first = held("--run", "first")
    assert first.run.baseline == {}
    (accepted,) = accepted_runs(held.storage)
    assert (accepted.run, accepted.by) == ("first", "checks")
    write_lines(texts / "part-20.jsonl", range(200, 210))
    second = held("--run", "second")
    assert second.run.baseline["compute_signals"] == first.run.step("compute_signals").dataset


def odd_file(texts):
    """Add a few documents of a length that none had before."""
    lines = [json.dumps({"id": f"odd-{n}", "text": f"Odd {n} of words." * 9}) for n in range(12)]
    (texts / "part-99.jsonl").write_text("\n".join(lines) + "\n")


def test_a_run_with_a_warning_goes_on_and_is_not_accepted(held, texts):
    held("--run", "first")
    odd_file(texts)
    warned = held("--run", "second")
    assert warned.code == 0
    assert result_of(warned.run, held.storage)["state"] == "warned"
    assert [a.run for a in accepted_runs(held.storage)] == ["first"]


def test_drift_that_stops_is_over_once_a_person_accepts_it(held, texts, millrace):
    contract(held.file, drift="stop")
    held("--run", "first")
    odd_file(texts)
    stopped = held("--run", "second")
    assert stopped.code == 3
    assert "millrace accept second" in stopped.value["error"]
    answer = millrace("accept", "second", "--comment", "new source", "--home", held.home)
    assert answer.code == 0
    assert any("drift" in sentence for sentence in answer.value["broken"])
    baseline = baseline_of(held.storage, "my-text")
    assert baseline["compute_signals"] == stopped.run.step("compute_signals").dataset
    assert "materialize" in baseline  # still that of the first
    third = held("--run", "third")
    assert third.code == 0
    assert third.computed["compute_signals"] == 0


def test_a_changed_recipe_is_no_drift(held, texts):
    contract(held.file, drift="stop")
    held("--run", "first")
    odd_file(texts)
    changed = held("--run", "second", "--set", 'signals.stop_words=["the"]')
    assert changed.code == 0
    rules = {rule["rule"]: rule for rule in result_of(changed.run, held.storage)["rules"]}
    assert rules["drift"]["state"] == "skipped"
    assert rules["drift"]["why"].startswith("compute_signals is made otherwise")
    assert [a.run for a in accepted_runs(held.storage)] == ["second", "first"]


def test_a_recipe_may_leave_acceptance_to_a_person(held, millrace):
    held("--set", 'contracts.accept="person"', "--run", "first")
    assert list(accepted_runs(held.storage)) == []
    assert millrace("accept", "--home", held.home).code == 0
    (accepted,) = accepted_runs(held.storage)
    assert accepted.by not in ("checks", "")


def test_contracts_can_be_left_out(held):
    contract(held.file, least=16)
    off = held("--set", "contracts.enabled=false")
    assert off.code == 0
    assert off.run.checks == {}
    assert list(accepted_runs(held.storage)) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.yaml", None, "no contract file"),
        ("bad.yaml", "a: [", "not YAML"),
        ("other.yaml", CONTRACT.replace("- name: signals", "- name: signal"), "signals"),
    ],
)
def test_a_wrong_contract_is_found_before_anything_runs(
    millrace, texts, tmp_path, name, text, said
):
    if text is not None:
        values = {"least": 1, "severity": "stop", "drift": "warn", "version": "1.0.0"}
        (tmp_path / name).write_text(text.format(**values) if "{" in text else text)
    words = ["--home", str(tmp_path / "home"), "--set", f"ingest.path={texts}"]
    words += ["--set", f'contracts.files=["{tmp_path / name}"]']
    answer = millrace("run", "my-text", *words)
    assert answer.code == 2
    assert said in answer.value["error"]
    assert not (tmp_path / "home" / "parts").exists()
