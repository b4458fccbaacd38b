"""choose_lines: places of lines, repeated lines -> what is taken out of which document.

Rows lie in a slice per partition of documents and hold no counts, so that a new file makes only
those partitions anew of which it takes something more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.dedupe.takings import TAKINGS
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1

_READ = ["site", "line_hash", "doc_id", "text_key", "start_byte", "end_byte"]
_SQL = """
WITH places AS (
    SELECT *, row_number() OVER (PARTITION BY line_hash, doc_id ORDER BY start_byte) AS place
    FROM lines
)
SELECT part_key, doc_id, start_byte, end_byte, r.first_id AS partner_id,
    r.first_byte AS partner_start_byte
FROM places AS p JOIN repeated AS r ON r.site = p.site AND r.line_hash = p.line_hash
WHERE NOT ({keep_first} AND place = 1 AND text_key = r.first_text)
ORDER BY doc_id, start_byte
"""


@dataclass(frozen=True)
class ChooseLinesConfig:
    """``keep``: where a repeated line stays, ``none`` or ``first``.

    Navigation, footers and notices are wanted nowhere, so by default a line is taken out of every
    document. ``first`` leaves it where it stands first in the document of the smallest doc_id that
    has it (and in those of equal normalised text, so that they stay duplicates): that is for
    paragraphs that are text. CCNet (Wenzek et al. 2020, arXiv:1911.00359) keeps the first of each
    as well, in the order of reading; here it does not depend on any order.
    """

    keep: Literal["none", "first"] = "none"

    def __post_init__(self) -> None:
        if self.keep not in ("none", "first"):
            raise RecipeError(f"choose_lines.keep is {self.keep!r}; give none or first.")


def choose_lines(inputs: Inputs, config: ChooseLinesConfig) -> Output:
    """Return the lines to take, partition by partition, each ordered by document and byte.

    Memory is for the repeated lines and the places of one partition.
    """
    return Output(_choose(inputs, config), slice_by="part_key")


def _choose(inputs: Inputs, config: ChooseLinesConfig) -> Iterator[pa.RecordBatch]:
    if not inputs.parts["repeated"]:
        return
    repeated = inputs.table(
        "repeated", ["site", "line_hash", "first_id", "first_text", "first_byte"]
    )
    sql = _SQL.format(keep_first=str(config.keep == "first").lower())
    for part in inputs.parts["lines"]:
        lines = part.table(_READ)
        lines = lines.append_column("part_key", pa.array([part.key] * len(lines), pa.string()))
        yield from query(sql, TAKINGS, lines=lines, repeated=repeated).to_batches()


STEP = Step(
    name="choose_lines",
    version=VERSION,
    kind="whole",
    run=choose_lines,
    config=ChooseLinesConfig,
    schema=TAKINGS,
    inputs={"lines": "all", "repeated": "all"},
    emits="model",
)
