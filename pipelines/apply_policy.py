"""apply_policy: signals -> decisions. Ordered SQL rules; the first that matches drops the document.

Reading text is expensive, deciding is cheap: this step reads signals only, so a new threshold costs
one pass over a few columns. A condition that is NULL does not match.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from data_contracts.documents import DECISIONS
from pipelines.policies.dialects import rules_of
from pipelines.policies.expressions import of_edited, signals_of_rules
from pipelines.signals.registry import ALL_SIGNALS
from pipelines.sql import literal, query, quoted
from store.step import Inputs, Output, Step

VERSION = 1
OF_EDITED = "edited:"


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
    asked = signals_asked(rules)
    if not rules:
        return "SELECT doc_id, true AS keep, NULL AS reason, NULL AS values FROM signals"
    first, reasons, values = ["CASE"], ["CASE rule"], ["CASE rule"]
    for number, ((reason, condition), names) in enumerate(zip(rules, asked, strict=True)):
        pairs = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
        deciding = f"to_json(struct_pack({pairs}))::VARCHAR" if names else "'{}'"
        first.append(f"WHEN ({condition}\n) THEN {number}")
        reasons.append(f"WHEN {number} THEN {literal(reason)}")
        values.append(f"WHEN {number} THEN {deciding}")
    decided = "\n".join([*first, "END"])
    return (
        f"SELECT doc_id, rule IS NULL AS keep, {' '.join([*reasons, 'END'])} AS reason, "
        f"{' '.join([*values, 'END'])} AS values FROM (SELECT *, {decided} AS rule FROM signals)"
    )


def apply_policy(inputs: Inputs, config: PolicyConfig) -> Output:
    """Decide each document of a partition; rows stand in the order of the signals.

    Reads just the signals that rules mention.
    """
    rules = config.all_rules()
    asked = {name for names in signals_asked(rules) for name in names}
    signals = inputs.one("signals").table(["doc_id", *sorted(asked)])
    return Output(query(policy_sql(rules), DECISIONS, signals=signals))


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
