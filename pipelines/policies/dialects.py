"""Named, versioned policies: one file each, looked up here by the name that stands in a recipe."""

from data_contracts.errors import RecipeError
from pipelines.policies import gopher
from pipelines.policies.dialect import Dialect
from store.hints import nearest

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (gopher.DIALECT,)}


def rules_of(dialect: str) -> tuple[tuple[str, str], ...]:
    """Return the ordered rules of a dialect, as pairs (reason, condition).

    Raises:
        RecipeError: if there is no dialect of that name; the nearest one is named.
    """
    if dialect not in DIALECTS:
        raise RecipeError(
            f"policy.use names {dialect!r}, which is no dialect; {nearest(dialect, list(DIALECTS))}"
        )
    return tuple((rule.reason, rule.condition) for rule in DIALECTS[dialect].rules)
