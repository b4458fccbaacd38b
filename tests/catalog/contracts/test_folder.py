"""`catalog.contracts.folder`: Parquet of anybody's writing held against a contract."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.contracts.check import check_dataset
from catalog.contracts.folder import folder_subject, parquet_files
from data_contracts.errors import Damaged, InputError
from data_contracts.read_contract import read_contract

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: test.orders
name: orders
version: 2.3.1
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: string, physicalType: string, required: true, unique: true}
      - name: amount
        logicalType: number
        physicalType: double
        logicalTypeOptions: {minimum: 0}
      - name: state
        logicalType: string
        physicalType: string
        enum: [{value: new}, {value: sent}]
    quality:
      - {name: some, metric: rowCount, mustBeGreaterThan: 3}
      - name: known
        type: sql
        query: SELECT count(*) FROM orders ANTI JOIN documents ON id = doc_id
        mustBe: 0
      - name: conserved
        type: sql
        query: SELECT sum(num_in) - sum(kept) FROM partitions
        mustBe: 0
      - name: drift
        type: custom
        engine: millrace
        implementation: {measure: drift, of: amount, min_rows: 4, rows: new, bins: 2,
          mustBeLessThan: 0.5}
"""


def write(path: Path, ids: list[str | None], amounts=None, states=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    amounts = amounts or [float(n) for n in range(len(ids))]
    table = pa.table({"id": ids, "amount": amounts, "state": states or ["new"] * len(ids)})
    pq.write_table(table, path)
    return path


def check(folder: Path, baseline: Path | None = None):
    contract = read_contract(CONTRACT, "orders.yaml")
    return check_dataset(None, folder_subject(folder, "orders", baseline), contract)


def states(result):
    return {rule.rule: rule.state for rule in result.rules}


def test_a_healthy_folder_passes_and_what_it_has_not_is_skipped_with_a_reason(tmp_path):
    write(tmp_path / "a.parquet", ["a", "b"])
    write(tmp_path / "deep" / "b.parquet", ["c", "d"])
    result = check(tmp_path)
    assert result.state == "passed"
    assert (result.num_rows, result.num_parts, result.version) == (4, 2, "2.3.1")
    skipped = {rule.rule: rule.why for rule in result.rules if rule.state == "skipped"}
    assert skipped == {
        "known": "the dataset 'documents' is not here",
        "conserved": "the dataset 'partitions' is not here",
        "drift": "no baseline was named",
    }


def test_each_defect_is_found_whichever_file_it_lies_in(tmp_path):
    write(tmp_path / "a.parquet", ["a", "b", "c"])
    write(tmp_path / "b.parquet", ["d", "a", None], [1.0, -2.0, 3.0], ["new", "lost", "sent"])
    result = check(tmp_path)
    broken = {rule.rule: rule for rule in result.broken()}
    assert set(broken) == {"id.unique", "id.not_null", "amount.range", "state.values"}
    assert {rule.num_broken for rule in broken.values()} == {1}
    assert broken["amount.range"].samples == ("id='a', amount=-2.0",)
    assert broken["state.values"].samples == ("id='a', state='lost'",)
    assert broken["id.unique"].samples == ("id='a', times=2",)


def test_files_of_other_columns_and_types_are_named(tmp_path):
    write(tmp_path / "a.parquet", ["a", "b", "c", "d"])
    pq.write_table(pa.table({"id": [1, 2], "state": ["new", "new"]}), tmp_path / "b.parquet")
    broken = {rule.rule for rule in check(tmp_path).broken()}
    assert {"columns", "id.type", "amount.type"} <= broken


def test_a_baseline_folder_is_compared_with_the_files_that_it_has_not(tmp_path):
    ids = [f"i{n}" for n in range(8)]
    before, now = tmp_path / "before", tmp_path / "now"
    write(before / "a.parquet", ids)
    write(now / "a.parquet", ids)
    assert states(check(now, before))["drift"] == "skipped"  # no file is new
    write(now / "b.parquet", [f"j{n}" for n in range(8)], [100.0] * 8)
    assert states(check(now, before))["drift"] == "broken"
    write(now / "b.parquet", [f"j{n}" for n in range(8)])
    assert states(check(now, before))["drift"] == "passed"


def test_one_file_is_a_folder_of_itself(tmp_path):
    path = write(tmp_path / "a.parquet", ["a", "b", "c", "d"])
    assert check(path).num_parts == 1
    assert parquet_files(path) == [path]


def test_what_is_no_parquet_is_said(tmp_path):
    with pytest.raises(InputError, match="no folder or file"):
        check(tmp_path / "gone")
    with pytest.raises(InputError, match=r"holds no \.parquet"):
        check(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 it is not")
    with pytest.raises(Damaged, match=r"a\.parquet is not a Parquet file"):
        check(tmp_path)
