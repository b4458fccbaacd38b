"""Identity: stable encodings of values and digests of content.

A fingerprint says what a partition is made from; a digest says what is in it. Digests are of
*content*: canonical Arrow values, independent of chunks, row groups, compression, dictionary
encoding, garbage under nulls, and of the version of the Parquet writer.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

_DIGEST_BYTES = 20
_READ_BYTES = 1 << 20


def digest_bytes(data: bytes | memoryview) -> str:
    """Return the 160-bit BLAKE3 hash of some bytes, as 40 hex digits (`b3sum -l 20`)."""
    return blake3(data).hexdigest(_DIGEST_BYTES)


def digest_file(path: Path) -> str:
    """Return `digest_bytes` of a whole file, reading a mebibyte at a time."""
    digest = blake3()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest(_DIGEST_BYTES)


def encode(value: Any) -> str:
    """Return the one canonical JSON text of a plain value.

    Plain are ``None``, booleans, integers, finite floats, strings, bytes, lists, tuples, mappings
    with string keys (sorted here) and dataclass instances (their counted fields). A list and a
    tuple encode alike; 1, 1.0 and True do not.

    Raises:
        TypeError: for any other type, since it has no form that is stable across processes.
        ValueError: for a float that is not finite.
    """
    plain = _plain(value, "value")
    return json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def counted_fields(config: Any) -> dict[str, Any]:
    """Return the fields of a config dataclass that change rows (see `store.step.uncounted`)."""
    fields = [f for f in dataclasses.fields(config) if f.metadata.get("counted", True)]
    return {field.name: _without_dataclasses(getattr(config, field.name)) for field in fields}


def _without_dataclasses(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return counted_fields(value)
    if isinstance(value, list | tuple):
        return [_without_dataclasses(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _without_dataclasses(item) for key, item in value.items()}
    return value


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: only finite numbers can be part of an identity")
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where} has a key that is not a string")
        return {"map": {key: _plain(item, f"{where}.{key}") for key, item in value.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(counted_fields(value), where)
    raise TypeError(
        f"{where} is a {type(value).__name__}, which has no stable form: use plain values"
    )


def fingerprint(made_from: Mapping[str, Any]) -> str:
    """Return the fingerprint of what a partition is made from: 40 hex digits."""
    return digest_bytes(encode(made_from).encode())


class TableDigest:
    """Digest of a table's content, fed batch by batch.

    Equal for equal schema (names, types, order; not metadata or nullability) and equal values in
    equal order, whatever the chunks. Dictionary-encoded and large types count as their plain ones;
    every NaN is one value; 0.0 and -0.0 are two.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.num_rows = 0
        self._columns = [_Stream(_canonical_type(field.type)) for field in schema]
        self._names = [f"{f.name}:{_canonical_type(f.type)}" for f in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of one batch, which has the schema given at the start."""
        self.num_rows += batch.num_rows
        for stream, column in zip(self._columns, batch.columns, strict=True):
            stream.update(column)

    def hexdigest(self) -> str:
        """Return the digest of the rows so far: 40 hex digits."""
        parts = [column.hexdigest() for column in self._columns]
        return fingerprint({"names": self._names, "rows": self.num_rows, "columns": parts})


def digest_table(table: pa.Table) -> str:
    """Return the content digest of a table (see `TableDigest`)."""
    return digest_batches(table.schema, table.to_batches())


def digest_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """Return the content digest of a stream of batches (see `TableDigest`)."""
    digest = TableDigest(schema)
    for batch in batches:
        digest.update(batch)
    return digest.hexdigest()


def _canonical_type(kind: pa.DataType) -> pa.DataType:
    """Fold dictionary and 32/64-bit offset variants of a type into one."""
    if pa.types.is_dictionary(kind):
        return _canonical_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_map(kind):
        key, item = _canonical_type(kind.key_type), _canonical_type(kind.item_type)
        return pa.list_(pa.struct([("key", key), ("value", item)]))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_canonical_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _canonical_type(field.type)) for field in kind])
    return kind


class _Stream:
    """Running hash of one column: its validity, its lengths, its data, then its children."""

    def __init__(self, kind: pa.DataType) -> None:
        self._valid, self._data = blake3(), blake3()
        self._children: list[_Stream] = []
        if pa.types.is_list(kind):
            self._children = [_Stream(kind.value_type)]
        elif _is_text(kind):
            self._children = [_Stream(pa.uint8())]
        elif pa.types.is_struct(kind):
            self._children = [_Stream(field.type) for field in kind]
        elif not _is_flat(kind):
            raise TypeError(f"a column of type {kind} has no canonical digest: use another type")

    def update(self, array: pa.Array) -> None:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        self._valid.update(_bytes_of(array.is_valid()))
        kind = array.type
        if pa.types.is_struct(kind):
            for child, values in zip(self._children, array.flatten(), strict=True):
                child.update(values)
        elif pa.types.is_nested(kind):
            self._update_lists(array)
        elif _is_text(kind):
            self._update_text(array)
        else:
            self._data.update(_bytes_of(array))

    def _update_lists(self, array: pa.Array) -> None:
        if pa.types.is_map(array.type):
            array = _map_as_list(array)
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
        self._data.update(_bytes_of(lengths))
        self._children[0].update(pc.list_flatten(array))

    def _update_text(self, array: pa.Array) -> None:
        wide = array.cast(pa.large_binary() if _is_binary(array.type) else pa.large_string())
        if wide.null_count:
            wide = pc.fill_null(wide, b"" if _is_binary(array.type) else "")
        self._data.update(_bytes_of(pc.binary_length(wide)))
        # Lengths and bytes are hashed apart, so that neither depends on where batches end.
        _, offsets, data = wide.buffers()
        if data is not None and len(wide):
            ends = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
            self._children[0]._data.update(memoryview(data)[ends[0] : ends[-1]])

    def hexdigest(self) -> str:
        parts = [self._valid.hexdigest(), self._data.hexdigest()]
        return digest_bytes("|".join(parts + [c.hexdigest() for c in self._children]).encode())


def _is_binary(kind: pa.DataType) -> bool:
    is_plain = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return is_plain or pa.types.is_binary_view(kind)


def _is_text(kind: pa.DataType) -> bool:
    is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return is_string or pa.types.is_string_view(kind) or _is_binary(kind)


def _is_flat(kind: pa.DataType) -> bool:
    return pa.types.is_primitive(kind) and not pa.types.is_interval(kind)


def _map_as_list(array: pa.MapArray) -> pa.Array:
    """Cast a map array, which has no kernels of its own, to a list of its key-value structs."""
    kind = array.type
    return array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))


def _bytes_of(array: pa.Array) -> bytes:
    """Return the values of a fixed-width array as little-endian bytes, nulls as zero."""
    kind = array.type
    if pa.types.is_boolean(kind):
        filled = pc.fill_null(array, False) if array.null_count else array
        return filled.to_numpy(zero_copy_only=False).astype(np.uint8).tobytes()
    if pa.types.is_temporal(kind):
        wide = array.view(pa.int64() if kind.bit_width == 64 else pa.int32())
        return _bytes_of(wide)
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(0, kind))
    values = array.to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).tobytes()
