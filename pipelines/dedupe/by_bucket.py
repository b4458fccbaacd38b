"""Rows of a partition by the bucket that a shuffle reads them for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from store.step import Output


def by_bucket(tables: Iterable[pa.Table], schema: pa.Schema) -> Output:
    """Return the tables' rows sorted by their column ``bucket``, else in the order they came in."""
    rows = pa.concat_tables([schema.empty_table(), *tables])
    order = np.argsort(rows["bucket"].to_numpy(), kind="stable")
    return Output(rows.take(pa.array(order)), slice_by="bucket")
