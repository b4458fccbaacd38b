"""A partition that lies in memory, for calling a step's function without a store."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from store.step import Inputs


@dataclass
class MemoryPart:
    """A `store.step.Part` over a table."""

    key: str
    rows: pa.Table

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        return self.rows if columns is None else self.rows.select(list(columns))


def inputs_of(key: str = "part", **tables: pa.Table | list[pa.Table]) -> Inputs:
    """Return inputs whose partitions are tables: one, or a list of them keyed part-0, part-1 …"""
    parts = {
        name: tuple(MemoryPart(f"part-{i}", table) for i, table in enumerate(given))
        if isinstance(given, list)
        else (MemoryPart(key, given),)
        for name, given in tables.items()
    }
    return Inputs(key, parts)
