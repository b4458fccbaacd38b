"""apply_policy: signals -> decisions. Ordered SQL rules; the first that matches drops the document.

Reading text is expensive, deciding is cheap: this step reads signals only, so a new threshold costs
one pass over a few columns. A condition that is NULL does not match.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pyarrow as pa

from data_contracts.documents import DECISIONS
from pipelines.policies.dialects import rules_of
from pipelines.policies.expressions import signals_of_rules
from pipelines.sql import literal, query, quoted
from store.step import Inputs, Output, Step

VERSION = 1


@dataclass(frozen=True)
class PolicyConfig:
    """Which rules decide, in order: first those of the named dialects, then the recipe's own.

    ``rules`` are pairs (reason, condition); a reason is a dotted identifier, ``length.too_short``.
    """

    use: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()

    def all_rules(self) -> tuple[tuple[str, str], ...]:
        """Return the rules of the dialects and the recipe's own, in the order they are asked."""
        named = [rule for dialect in self.use for rule in rules_of(dialect)]
        return (*named, *self.rules)


@functools.lru_cache(maxsize=8)
def policy_sql(rules: tuple[tuple[str, str], ...], schema: pa.Schema) -> str:
    """Return the query that decides every row of ``signals``.

    Raises:
        RecipeError: if a rule is not a harmless true-or-false expression over the schema's signals.
    """
    reasons, values = ["CASE"], ["CASE"]
    mentioned = signals_of_rules(rules, schema)
    for (reason, condition), names in zip(rules, mentioned, strict=True):
        pairs = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
        deciding = f"to_json(struct_pack({pairs}))::VARCHAR" if names else "'{}'"
        reasons.append(f"WHEN ({condition}\n) THEN {literal(reason)}")
        values.append(f"WHEN ({condition}\n) THEN {deciding}")
    case = "\n".join([*reasons, "END"]) if rules else "NULL::VARCHAR"
    deciding = "\n".join([*values, "END"]) if rules else "NULL::VARCHAR"
    return (
        f"SELECT doc_id, reason IS NULL AS keep, reason, deciding AS values FROM ("
        f"SELECT doc_id, {case} AS reason, {deciding} AS deciding FROM signals)"
    )


def apply_policy(inputs: Inputs, config: PolicyConfig) -> Output:
    """Decide each document of a partition; rows stand in the order of the signals."""
    signals = inputs.one("signals").table()
    return Output(query(policy_sql(config.all_rules(), signals.schema), DECISIONS, signals=signals))


STEP = Step(
    name="apply_policy",
    version=VERSION,
    kind="map",
    run=apply_policy,
    config=PolicyConfig,
    schema=DECISIONS,
    inputs={"signals": "aligned"},
    accounts_for="signals",
)
