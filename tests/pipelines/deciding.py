"""What a dialect says of texts, from families of signals that are measured here and now."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from pipelines.kernels.decoded import text_batch
from pipelines.policies.dialect import Dialect
from pipelines.signals.family import Family, SignalsConfig


def measure(families: Sequence[Family], texts: Sequence[str]) -> pa.Table:
    """Return the signals of the texts, one column each."""
    batch = text_batch(pa.array(texts, pa.string()))
    measured = [family.measure(batch, SignalsConfig()) for family in families]
    return pa.table({name: pa.array(v) for values in measured for name, v in values.items()})


def first_reasons(dialect: Dialect, signals: pa.Table) -> list[str | None]:
    """Return for each row the reason of the first rule that holds, or None."""
    arms = [f"WHEN {rule.condition} THEN '{rule.reason}'" for rule in dialect.rules]
    with duckdb.connect() as connection:
        connection.register("signals", signals)
        rows = connection.sql(f"SELECT CASE {' '.join(arms)} END FROM signals").fetchall()
    return [reason for (reason,) in rows]
