"""Named, versioned policies: one file each, looked up here by the name that stands in a recipe."""

from data_contracts.errors import RecipeError
from pipelines.policies import gopher
from store.hints import nearest

Rules = tuple[tuple[str, str], ...]

DIALECTS: dict[str, Rules] = {
    gopher.NAME: gopher.RULES,
}


def rules_of(dialect: str) -> Rules:
    """Return the ordered rules of a dialect.

    Raises:
        RecipeError: if there is no dialect of that name; the nearest one is named.
    """
    if dialect not in DIALECTS:
        raise RecipeError(
            f"policy.use names {dialect!r}, which is no dialect; {nearest(dialect, list(DIALECTS))}"
        )
    return DIALECTS[dialect]
