"""Named, versioned edits: one file a way of editing, looked up here by the name in a recipe."""

from data_contracts.errors import RecipeError
from pipelines.edits import c4_lines
from pipelines.edits.edit import Edit
from store.hints import nearest

EDITS: dict[str, Edit] = {edit.name: edit for edit in c4_lines.EDITS}


def edit_named(name: str) -> Edit:
    """Return the edit of that name.

    Raises:
        RecipeError: if there is none; the nearest one is named.
    """
    if name not in EDITS:
        raise RecipeError(
            f"A recipe's edit is {name!r}, which is no edit; {nearest(name, list(EDITS))}"
        )
    return EDITS[name]
