"""find_candidates: bands -> candidates. Texts that share a key, to be compared on what they say.

A key that many texts share (a template, a notice) would cost a comparison for each pair of them:
of more than ``max_band_texts``, the first so many in the order of their names are compared with
each other. The others are listed in the partition's ``capped.csv``; they stay candidates of
whatever they share another key with, and otherwise are kept.
"""

from __future__ import annotations

import pyarrow as pa
from pyarrow import csv

from data_contracts.documents import CANDIDATES
from pipelines.dedupe.near_config import CandidatesConfig
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1

CAPPED_FILE = "capped.csv"
CAPPED = pa.schema(
    [
        pa.field("text_key", pa.uint64(), nullable=False),
        pa.field("band_key", pa.uint64(), nullable=False),
        pa.field("num_texts", pa.int64(), nullable=False),  # that share the key
    ]
)
_PLACED = pa.schema([*CAPPED, pa.field("place", pa.int64(), nullable=False)])

# Most keys are of one text: they go before anything is sorted.
_PLACED_SQL = """
    WITH shared AS (
        SELECT band_key FROM bands GROUP BY band_key HAVING min(text_key) <> max(text_key)
    ), texts AS (
        SELECT DISTINCT band_key, text_key FROM bands SEMI JOIN shared USING (band_key)
    )
    SELECT text_key, band_key, count(*) OVER (PARTITION BY band_key) AS num_texts,
        row_number() OVER (PARTITION BY band_key ORDER BY text_key) AS place
    FROM texts
"""
_PAIRS_SQL = """
    WITH compared AS (SELECT band_key, text_key FROM placed WHERE place <= {most})
    SELECT DISTINCT a.text_key AS left_key, b.text_key AS right_key
    FROM compared AS a JOIN compared AS b
        ON b.band_key = a.band_key AND b.text_key > a.text_key
    ORDER BY left_key, right_key
"""
_CAPPED_SQL = """
    SELECT text_key, band_key, num_texts FROM placed WHERE place > {most}
    ORDER BY text_key, band_key
"""


def find_candidates(inputs: Inputs, config: CandidatesConfig) -> Output:
    """Pair the texts that share a key of one bucket, each pair once, by ``(left, right)``."""
    if not inputs.parts["bands"]:
        return Output(CANDIDATES.empty_table())
    bands = inputs.table("bands", ["band_key", "text_key"])
    placed = query(_PLACED_SQL, _PLACED, bands=bands)
    pairs = query(_PAIRS_SQL.format(most=config.max_band_texts), CANDIDATES, placed=placed)
    capped = query(_CAPPED_SQL.format(most=config.max_band_texts), CAPPED, placed=placed)
    if not len(capped):
        return Output(pairs)
    assert inputs.scratch is not None
    path = inputs.scratch / CAPPED_FILE
    csv.write_csv(capped, path)
    facts = {"near.bucket_capped": len(capped["text_key"].unique())}
    return Output(pairs, facts=facts, files={CAPPED_FILE: path})


STEP = Step(
    name="find_candidates",
    version=VERSION,
    kind="shuffle",
    run=find_candidates,
    config=CandidatesConfig,
    schema=CANDIDATES,
    inputs={"bands": "bucket"},
    emits="model",  # pairs of texts are no documents, so there are none to account for
    num_buckets=lambda config: config.num_buckets,
)
