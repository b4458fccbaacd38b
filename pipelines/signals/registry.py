"""The families of signals in the order of their columns, and the schemas that they make."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import pyarrow as pa

from data_contracts.documents import EDITED
from data_contracts.errors import RecipeError
from pipelines.edits.registry import EDITS, edit_named
from pipelines.signals import (
    c4,
    characters,
    compression,
    datatrove_lines,
    datatrove_repetition,
    datatrove_words,
    dclm_gopher,
    dolma_gopher,
    language,
    lines,
    pii,
    repetition,
    sentences,
    unigrams,
    urls,
    words,
)
from pipelines.signals.family import Family, SignalsConfig
from store.hints import nearest

FAMILIES: tuple[Family, ...] = (
    characters.FAMILY,
    words.FAMILY,
    lines.FAMILY,
    sentences.FAMILY,
    repetition.FAMILY,
    c4.FAMILY,
    urls.FAMILY,
    pii.FAMILY,
    unigrams.FAMILY,
    compression.FAMILY,
    language.FAMILY,
    datatrove_words.FAMILY,
    datatrove_repetition.FAMILY,
    datatrove_lines.FAMILY,
    dolma_gopher.FAMILY,
    dclm_gopher.FAMILY,
)
# Sizes that later steps read and contracts compare: measured whatever a recipe lists.
NEEDED = ("characters", "words", "lines", "sentences")
NEEDED_OF_EDITED = ("characters", "words")


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


def with_asked(config: SignalsConfig, asked: Iterable[str]) -> SignalsConfig:
    """Return a config that has measured whatever some signals need, every family by its name.

    So a new family counts in the identity of what is measured.

    Raises:
        RecipeError: if a signal is one of edited text, or a fact of an edit, that there is not.
    """
    listed = {family.name for family in measured(config)}
    edited = {*config.edited_families, *(NEEDED_OF_EDITED if config.edits else ())}
    for name in asked:
        if name in _OWNERS:
            listed.add(_OWNERS[name])
        elif name.removeprefix(EDITED) in _OWNERS:
            edited.add(_OWNERS[name.removeprefix(EDITED)])
        else:
            _check_told(name, config.edits)
    if edited and not config.edits:
        raise RecipeError(
            f"A rule asks of the edited text ({', '.join(sorted(edited))}), but edits.use lists no "
            "edit; list one, or ask of the text itself."
        )
    return replace(config, families=in_order(listed), edited_families=in_order(edited))


def _check_told(name: str, edits: Collection[str]) -> None:
    tellers = [edit.name for edit in EDITS.values() if name in [f.name for f in edit.fields]]
    if not set(tellers) & set(edits):
        raise RecipeError(
            f"A rule asks for {name}, which the edit {' or '.join(tellers)} tells; list one in "
            "edits.use."
        )


def signals_schema(config: SignalsConfig) -> pa.Schema:
    """Return the columns that a config makes: one row per document, in the documents' order.

    Each signal's field has the metadata `description` (what it measures) and `unit`.
    """
    fields = [field for family in measured(config) for field in family.fields]
    edited = [field for family in measured_edited(config) for field in family.fields]
    facts = [field for name in config.edits for field in edit_named(name).fields]
    return pa.schema([_DOC_ID, *fields, *facts, *map(_of_edited, edited)])


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


_OWNERS = {field.name: family.name for family in FAMILIES for field in family.fields}
_FACTS = {field.name: field for edit in EDITS.values() for field in edit.fields}
_DOC_ID = pa.field("doc_id", pa.string(), nullable=False)
SIGNALS_SCHEMA = signals_schema(SignalsConfig())  # of what is measured always
ALL_SIGNALS = pa.schema(  # of whatever a rule may mention
    [
        _DOC_ID,
        *(field for family in FAMILIES for field in family.fields),
        *_FACTS.values(),
        *(_of_edited(field) for family in FAMILIES for field in family.fields),
    ]
)
