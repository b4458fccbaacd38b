"""find_repeated_lines: places of lines -> the lines that many documents of one site have.

Documents of equal normalised text count as one, and so do those of one URL: a page that was read
ten times is no boilerplate. Pages that differ in a little and have addresses of their own are
different documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1

REPEATED_LINES = pa.schema(
    [
        pa.field("site", pa.string(), nullable=False),
        pa.field("line_hash", pa.binary(), nullable=False),
        pa.field("num_documents", pa.int64(), nullable=False),  # different in URL and in text
        pa.field("num_places", pa.int64(), nullable=False),
        pa.field("first_id", pa.string(), nullable=False),  # smallest doc_id that has the line
        pa.field("first_text", pa.uint64(), nullable=False),  # its text_key
        pa.field("first_byte", pa.int64(), nullable=False),  # where the line first stands in it
        pa.field("example", pa.string(), nullable=False),  # how it begins there
    ]
)

_SQL = """
WITH counted AS (
    SELECT site, line_hash,
        least(count(DISTINCT text_key), count(DISTINCT page_key)) AS num_documents,
        count(*) AS num_places,
        min((doc_id, start_byte)) AS place
    FROM lines GROUP BY site, line_hash HAVING num_documents >= {min_documents}
)
SELECT c.*, l.doc_id AS first_id, l.text_key AS first_text, l.start_byte AS first_byte, l.example
FROM counted AS c JOIN lines AS l
    ON l.site = c.site AND l.line_hash = c.line_hash AND (l.doc_id, l.start_byte) = c.place
ORDER BY c.site, c.line_hash
"""


@dataclass(frozen=True)
class RepeatedLinesConfig:
    """``min_documents``, at least 2: from how many on a line is boilerplate of its site.

    ``num_buckets`` is that of `pipelines.dedupe.count_lines.CountLinesConfig`.
    """

    min_documents: int = 10
    num_buckets: int = 8

    def __post_init__(self) -> None:
        if self.min_documents < 2:
            raise RecipeError(
                f"find_repeated_lines.min_documents is {self.min_documents}; give at least 2."
            )


def find_repeated_lines(inputs: Inputs, config: RepeatedLinesConfig) -> Output:
    """Return the repeated lines of one bucket, by site and hash: a function of the places alone."""
    if not inputs.parts["lines"]:
        return Output(REPEATED_LINES.empty_table())
    sql = _SQL.format(min_documents=config.min_documents)
    return Output(query(sql, REPEATED_LINES, lines=inputs.table("lines")))


STEP = Step(
    name="find_repeated_lines",
    version=VERSION,
    kind="shuffle",
    run=find_repeated_lines,
    config=RepeatedLinesConfig,
    schema=REPEATED_LINES,
    inputs={"lines": "bucket"},
    emits="model",
    num_buckets=lambda config: config.num_buckets,
)
