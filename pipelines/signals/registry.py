"""The families of signals in the order of their columns, and the schemas that they make."""

from collections.abc import Collection, Iterable

import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.signals import characters, lines, sentences, words
from pipelines.signals.family import Family, SignalsConfig
from store.hints import nearest

FAMILIES: tuple[Family, ...] = (
    characters.FAMILY,
    words.FAMILY,
    lines.FAMILY,
    sentences.FAMILY,
)
# Sizes that later steps read and contracts compare: measured whatever a recipe lists.
NEEDED = ("characters", "words", "lines", "sentences")
EDITED = "edited_"  # before the names of the signals of edited text


def signal_names() -> tuple[str, ...]:
    """Return the names of all signals of a text as it was read, in the order of their columns."""
    return tuple(field.name for family in FAMILIES for field in family.fields)


def measured(config: SignalsConfig) -> tuple[Family, ...]:
    """Return the families that a config has measured, in the order of their columns.

    Raises:
        RecipeError: if it lists a family that is none; the nearest one is named.
    """
    listed = config.families or tuple(family.name for family in FAMILIES if family.always)
    return _families({*NEEDED, *listed})


def measured_edited(config: SignalsConfig) -> tuple[Family, ...]:
    """Return the families that are measured of edited text, as `measured` does."""
    return _families(set(config.edited_families))


def families_of(signals: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the names of the families that have some signals: of the text, and of edited text."""
    of_text: set[str] = set()
    of_edited: set[str] = set()
    owners = {field.name: family.name for family in FAMILIES for field in family.fields}
    for name in signals:
        if name in owners:
            of_text.add(owners[name])
        elif name.removeprefix(EDITED) in owners:
            of_edited.add(owners[name.removeprefix(EDITED)])
    return of_text, of_edited


def signals_schema(config: SignalsConfig) -> pa.Schema:
    """Return the columns that a config makes: one row per document, in the documents' order.

    Each signal's field has the metadata `description` (what it measures) and `unit`.
    """
    fields = [field for family in measured(config) for field in family.fields]
    edited = [field for family in measured_edited(config) for field in family.fields]
    return pa.schema([_DOC_ID, *fields, *map(_of_edited, edited)])


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Return names of families in the order of their columns; raises as `measured` does."""
    return tuple(family.name for family in _families(names))


def _families(names: Collection[str]) -> tuple[Family, ...]:
    known = [family.name for family in FAMILIES]
    for name in names:
        if name not in known:
            raise RecipeError(
                f"signals.families lists {name!r}, which is no family of signals; "
                f"{nearest(name, known)}"
            )
    return tuple(family for family in FAMILIES if family.name in names)


def _of_edited(field: pa.Field) -> pa.Field:
    metadata = dict(field.metadata or {})
    metadata[b"description"] = b"Of the edited text: " + metadata[b"description"]
    return field.with_name(EDITED + field.name).with_metadata(metadata)


_DOC_ID = pa.field("doc_id", pa.string(), nullable=False)
SIGNALS_SCHEMA = signals_schema(SignalsConfig())  # of what is measured always
ALL_SIGNALS = pa.schema(  # of whatever a rule may mention
    [
        _DOC_ID,
        *(field for family in FAMILIES for field in family.fields),
        *(_of_edited(field) for family in FAMILIES for field in family.fields),
    ]
)
