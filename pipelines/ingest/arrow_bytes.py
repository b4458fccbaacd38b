"""Arrow columns with bytes for their texts, to be looked at before they are known as UTF-8."""

from __future__ import annotations

import pyarrow as pa

BYTES_OF_TEXT = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


def with_bytes(column: pa.Array) -> pa.Array:
    """Return a column with bytes for each text in it, however deep it stands; nothing is copied."""
    kind = _bytes_type(column.type)
    return column if kind == column.type else column.view(kind)


def _bytes_type(kind: pa.DataType) -> pa.DataType:
    if kind in BYTES_OF_TEXT:
        return BYTES_OF_TEXT[kind]
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _bytes_type(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([_bytes_field(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_bytes_field(kind.key_field), _bytes_field(kind.item_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_bytes_field(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_bytes_field(kind.value_field))
    return pa.list_(_bytes_field(kind.value_field)) if pa.types.is_list(kind) else kind


def _bytes_field(field: pa.Field) -> pa.Field:
    return field.with_type(_bytes_type(field.type))
