"""Relations over datasets: a machine that cannot open them is told as that."""

import pyarrow as pa
import pytest

from catalog import relations
from store.errors import StoreError


def test_no_memory_to_open_a_relation_is_the_machine_s_fault(monkeypatch):
    monkeypatch.setattr(relations, "MEMORY_LIMIT", "20KB")
    # DuckDB counts 32 KB of a thread's memory late: so many relations go beyond that
    views = {f"rows{number}": pa.table({"column": [1]}) for number in range(1000)}
    with pytest.raises(StoreError, match=r"20KB of memory.*run again"):
        relations.connect(views)
