"""apply_policy: signals -> decisions. Ordered SQL rules; the first that matches drops the document.

Reading text is expensive, deciding is cheap: this step reads signals only, so a new threshold costs
one pass over a few columns. A condition that is NULL does not match.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import pyarrow as pa

from data_contracts.documents import DECISIONS
from pipelines.policies.dialects import rules_of
from pipelines.policies.expressions import of_edited, signals_of_rules
from pipelines.signals.registry import ALL_SIGNALS
from pipelines.sql import literal, query, quoted
from store.step import Inputs, Output, Step

VERSION = 1
OF_EDITED = "edited:"
_DECIDED = pa.schema([("rule", pa.int32()), ("values", pa.string())])


@dataclass(frozen=True)
class PolicyConfig:
    """Which rules decide, in order: first those of the named dialects, then the recipe's own.

    ``use`` names dialects; ``edited:NAME`` asks one of the edited text. ``rules`` are pairs
    (reason, condition); a reason is a dotted identifier, ``length.too_short``.
    """

    use: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()

    def all_rules(self) -> tuple[tuple[str, str], ...]:
        """Return the rules of the dialects and the recipe's own, in the order they are asked."""
        named = [rule for dialect in self.use for rule in _rules_of(dialect)]
        return (*named, *self.rules)


@functools.lru_cache(maxsize=32)
def _rules_of(name: str) -> tuple[tuple[str, str], ...]:
    dialect = name.removeprefix(OF_EDITED)
    rules = rules_of(dialect)
    if dialect == name:
        return rules
    return tuple((reason, of_edited(condition, reason)) for reason, condition in rules)


@functools.lru_cache(maxsize=8)
def signals_asked(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, ...], ...]:
    """Return for each rule the signals that it mentions, in the order of all signals.

    Raises:
        RecipeError: if a rule is not a harmless true-or-false expression over signals.
    """
    return tuple(map(tuple, signals_of_rules(rules, ALL_SIGNALS)))


def policy_sql(rules: tuple[tuple[str, str], ...]) -> str:
    """Return the query that decides every row of ``signals``; raises as `signals_asked` does."""
    if not rules:
        return "SELECT doc_id, true AS keep, NULL AS reason, NULL AS values FROM signals"
    reasons = [f"WHEN {number} THEN {literal(reason)}" for number, (reason, _) in enumerate(rules)]
    return (
        "SELECT doc_id, decided.rule IS NULL AS keep, "
        f"CASE decided.rule {' '.join(reasons)} END AS reason, decided.values AS values "
        f"FROM (SELECT doc_id, {_decided_sql(rules)} AS decided FROM signals)"
    )


def apply_policy(inputs: Inputs, config: PolicyConfig) -> Output:
    """Decide each document of a partition; rows stand in the order of the signals.

    Reads just the signals that rules mention. The rows are those of `policy_sql`; ids and reasons
    are put beside the numbers of the rules here, because strings through a query cost more than
    deciding does.
    """
    rules = config.all_rules()
    asked = {name for names in signals_asked(rules) for name in names}
    signals = inputs.one("signals").table(["doc_id", *sorted(asked)])
    sql = f"SELECT decided.* FROM (SELECT {_decided_sql(rules)} AS decided FROM signals)"
    decided = query(sql, _DECIDED, signals=signals)
    rule = decided["rule"]
    reasons = pa.array([reason for reason, _ in rules], pa.string())
    columns = [signals["doc_id"], rule.is_null(), reasons.take(rule), decided["values"]]
    return Output(pa.table(columns, schema=DECISIONS))


def _decided_sql(rules: tuple[tuple[str, str], ...]) -> str:
    """Return the struct of the first rule that matches and its values, both NULL if none does."""
    none = "{'rule': NULL::INTEGER, 'values': NULL::VARCHAR}"
    asked = zip(rules, signals_asked(rules), strict=True)
    whens = [
        f"WHEN ({condition}\n) THEN {{'rule': {number}, 'values': {_values_sql(names)}}}"
        for number, ((_, condition), names) in enumerate(asked)
    ]
    return "\n".join(["CASE", *whens, f"ELSE {none} END"]) if whens else none


def _values_sql(names: tuple[str, ...]) -> str:
    """Return the text of a JSON object of signals: joined, at half the cost of JSON of a struct."""
    pieces: list[str] = []
    for name in names:
        opening = "," if pieces else "{"
        pieces.append(literal(f"{opening}{json.dumps(name)}:"))
        pieces.append(f"coalesce(to_json({quoted(name)}), 'null')")
    return f"concat({', '.join(pieces)}, '}}')" if names else "'{}'"


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
