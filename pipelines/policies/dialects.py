"""Named, versioned policies: one file each, looked up here by the name that stands in a recipe."""

from data_contracts.errors import RecipeError
from pipelines.policies import (
    c4,
    datatrove,
    dclm,
    dolma,
    fineweb,
    gopher,
    gopher_repetition,
    urls,
)
from pipelines.policies.dialect import Dialect
from store.hints import nearest

_ALL = (
    gopher.DIALECT,
    gopher_repetition.DIALECT,
    fineweb.DIALECT,
    *datatrove.DIALECTS,
    *c4.DIALECTS,
    dolma.DIALECT,
    dclm.DIALECT,
    urls.DIALECT,
)
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
ALIASES = {"gopher@dolma": dolma.DIALECT.name, "gopher@dclm": dclm.DIALECT.name}  # the newest


def dialect_named(name: str) -> Dialect:
    """Return a dialect by its name, or one of the `ALIASES`.

    Raises:
        RecipeError: if there is no dialect of that name; the nearest one is named.
    """
    name = ALIASES.get(name, name)
    if name not in DIALECTS:
        raise RecipeError(
            f"policy.use names {name!r}, which is no dialect; {nearest(name, list(DIALECTS))}"
        )
    return DIALECTS[name]


def rules_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return the ordered rules of a dialect as pairs (reason, condition).

    Raises:
        RecipeError: as `dialect_named`.
    """
    return tuple((rule.reason, rule.condition) for rule in dialect_named(name).rules)
