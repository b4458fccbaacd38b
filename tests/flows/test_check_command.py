"""``millrace check`` and ``millrace accept``: of runs, of folders, with which exit code."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.accepted import accepted_runs
from store.storage import Storage

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: test.curated
name: curated
version: 1.0.0
status: active
schema:
  - name: curated
    properties:
      - {name: doc_id, logicalType: string, physicalType: string, required: true}
    quality:
      - name: enough
        description: There are enough documents to train on.
        metric: rowCount
        severity: SEVERITY
        mustBeGreaterOrEqualTo: LEAST
        customProperties: [{property: remedy, value: Read more sources.}]
"""


@pytest.fixture
def contract(tmp_path):
    def write(least: int, severity: str = "stop") -> str:
        path = tmp_path / "curated.yaml"
        path.write_text(CONTRACT.replace("LEAST", str(least)).replace("SEVERITY", severity))
        return str(path)

    return write


@pytest.fixture
def home(millrace, texts, tmp_path, prefect_api):
    home = str(tmp_path / "home")
    words = ["run", "my-text", "--run", "first", "--home", home, "--set", f"ingest.path={texts}"]
    assert millrace(*words).code == 0
    return home


def test_a_dataset_of_a_run_is_held_against_its_own_or_another_contract(home, millrace, contract):
    own = millrace("check", "curated", "--home", home)
    assert (own.code, own.value["state"], own.value["num_rows"]) == (0, "passed", 200)
    assert own.value["exit_code"] == 0
    by_step = millrace("check", "materialize", "--home", home, "--run", "first")
    assert by_step.value["rules"] == own.value["rules"]
    stopped = millrace("check", "curated", "--contract", contract(201), "--home", home)
    assert (stopped.code, stopped.value["state"]) == (3, "stopped")
    warned = millrace("check", "curated", "--contract", contract(201, "warn"), "--home", home)
    assert (warned.code, warned.value["state"]) == (0, "warned")


def test_people_read_what_is_broken_and_what_to_do(home, millrace, contract):
    words = ["check", "curated", "--contract", contract(201), "--home", home]
    said = millrace(*words, as_json=False).out
    assert "stop: enough (expect_column_values_to_be_between" in said
    assert "observed 200" in said
    assert "Read more sources." in said
    assert "is not as its contract says" in said


def test_a_folder_needs_no_run(millrace, contract, tmp_path):
    folder = tmp_path / "others"
    folder.mkdir()
    pq.write_table(pa.table({"doc_id": ["a", "b"]}), folder / "x.parquet")
    nowhere = str(tmp_path / "nowhere")
    good = millrace("check", str(folder), "--contract", contract(2), "--home", nowhere)
    assert (good.code, good.value["num_rows"]) == (0, 2)
    bad = millrace("check", str(folder), "--contract", contract(3), "--home", nowhere)
    assert bad.code == 3
    assert not (tmp_path / "nowhere").exists()
    unsaid = millrace("check", str(folder), "--home", nowhere)
    assert (unsaid.code, "--contract" in unsaid.value["error"]) == (2, True)


def test_a_contract_of_another_dataset_is_refused(home, millrace, contract):
    answer = millrace("check", "documents", "--contract", contract(1), "--home", home)
    assert answer.code == 2
    assert "a contract of curated, not of documents" in answer.value["error"]


def test_accept_names_the_run_and_says_who_and_why(home, millrace):
    answer = millrace("accept", "first", "--comment", "as it should be", "--home", home)
    assert (answer.code, answer.value["run"], answer.value["broken"]) == (0, "first", [])
    (accepted,) = accepted_runs(Storage(home))
    assert (accepted.by, accepted.comment) == (answer.value["by"], "as it should be")
    assert millrace("accept", "frist", "--home", home).code == 2
