"""One spelling for each Arrow type, so that a contract can name it and any writer's file match."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as at


def spelt(type_: pa.DataType) -> str:
    """Return the name of an Arrow type as contracts write it.

    ``string`` whatever its offsets or encoding; ``list<int32>`` and ``map<string, string>`` without
    the names that writers give to their items; ``struct<name: type, …>``; others as Arrow does.
    """
    if at.is_dictionary(type_):
        return spelt(type_.value_type)
    if at.is_large_string(type_) or at.is_string_view(type_):
        return "string"
    if at.is_large_binary(type_) or at.is_binary_view(type_):
        return "binary"
    if at.is_map(type_):
        return f"map<{spelt(type_.key_type)}, {spelt(type_.item_type)}>"
    if at.is_list(type_) or at.is_large_list(type_):
        return f"list<{spelt(type_.value_type)}>"
    if at.is_struct(type_):
        return f"struct<{', '.join(f'{field.name}: {spelt(field.type)}' for field in type_)}>"
    return str(type_)
