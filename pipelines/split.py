"""split: signatures, choices -> train or held-out, by hash of the normalised text.

Equal texts never straddle the two, whichever of them is kept, and a document's side never depends
on which other documents there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from data_contracts.documents import SPLITS
from data_contracts.errors import RecipeError
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 2


@dataclass(frozen=True)
class SplitConfig:
    """``heldout_ratio`` is the expected share of held-out documents; ``seed`` draws other ones."""

    heldout_ratio: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.heldout_ratio < 1 or not 0 <= self.seed < 2**32:
            raise RecipeError(
                f"split.heldout_ratio is {self.heldout_ratio} and split.seed {self.seed}; the "
                f"ratio must be in [0, 1) and the seed in [0, 2**32)."
            )


def split(inputs: Inputs, config: SplitConfig) -> Output:
    """Put each kept document of a partition on its side; rows stand in the order of the choices.

    The draw is the first 32 bits of MD5 of ``<seed>:<hash of the normalised text>``, compared with
    the ratio: another seed draws independently.
    """
    threshold = math.ceil(config.heldout_ratio * 2**32)
    draw = f"('0x' || substr(md5('{config.seed}:' || normal_hash), 1, 8))::UINTEGER"
    sql = f"""
        SELECT c.doc_id, true AS keep, NULL AS reason, NULL AS values,
            CASE WHEN {draw} < {threshold} THEN 'heldout' ELSE 'train' END AS split
        FROM (SELECT doc_id, row_number() OVER () AS position, keep FROM choices) AS c
        JOIN signatures AS s ON s.doc_id = c.doc_id
        WHERE c.keep ORDER BY c.position
    """
    choices = inputs.one("choices").table(["doc_id", "keep"])
    signatures = inputs.one("signatures").table(["doc_id", "normal_hash"])
    return Output(query(sql, SPLITS, choices=choices, signatures=signatures))


STEP = Step(
    name="split",
    version=VERSION,
    kind="map",
    run=split,
    config=SplitConfig,
    schema=SPLITS,
    inputs={"signatures": "aligned", "choices": "aligned"},
    accounts_for="choices",
)
