"""The fields of one record, whatever it was written in, to a `Record`: text, id and all else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.rows import Item, Origin, Record, Unreadable
from pipelines.ingest.text import decode_lossy, replace_surrogates

MAX_META_BYTES = 16_384
_MAX_LEFT_OUT = 100
_LEFT_OUT = "_left_out"
_TYPES = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}

Fields = dict[str, Any]
TakeText = Callable[[Fields, IngestConfig], tuple[str, int]]  # raises ValueError if there is none


@dataclass(frozen=True)
class Read:
    """Where a record was read: its place, its first bytes, its key if it declares none."""

    origin: Origin
    raw: bytes
    ordinal_key: str
    labels: Mapping[str, str]
    num_repairs: int = 0


def take_text(fields: Fields, config: IngestConfig) -> tuple[str, int]:
    """Take the text out of a record's fields; return it and how many characters were repaired.

    Raises:
        ValueError: if it has none.
    """
    name, num_repairs = config.text_field, 0
    text = declared(fields, name)
    if text is None and _holder(fields, name) is None:
        raise ValueError(f"no field {name!r}")
    if isinstance(text, bytes):
        text, num_repairs = decode(text, config)
    if not isinstance(text, str):
        raise ValueError(f"the field {name!r} is {type_name(text)}, not a string")
    _drop(fields, name)
    return text, num_repairs


def make_record(
    fields: Fields, read: Read, config: IngestConfig, take: TakeText = take_text
) -> Item:
    """Return the record that some fields make, or why they make none; takes ``fields`` apart.

    Its key is the declared id (a string or an integer), else the ordinal one. Fields that have no
    column of their own go to ``meta``, with sorted names, as far as `MAX_META_BYTES` reach; the
    names of the others stand there as ``_left_out``. A record's own labels win over its place's.
    A dotted name, such as ``page.text``, is a key of that name or else leads into an object.
    """
    try:
        text, num_repairs = take(fields, config)
    except ValueError as error:
        return Unreadable(read.origin, str(error), read.raw)
    others = take_others(fields, config)
    return Record(
        origin=read.origin,
        key=others.key or read.ordinal_key,
        text=text,
        raw=read.raw,
        num_repairs=read.num_repairs + num_repairs,
        url=others.url,
        published_at=others.published_at,
        labels={**read.labels, **others.labels},
        meta=others.meta,
    )


class Others(NamedTuple):
    """What the fields beside the text say of a record; ``key`` is the declared one."""

    key: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    meta: str | None = None


def take_others(
    fields: Fields, config: IngestConfig, key: str | None = None, url: str | None = None
) -> Others:
    """Return what fields say, all but the text's; ``key`` and ``url`` if they are known already."""
    return Others(
        key=key or _take_id(fields, config.id_field),
        url=_take_url(fields, config.url_field) if url is None else url,
        published_at=_take_time(fields, config.published_field),
        labels=_take_labels(fields, config.labels_field),
        meta=_meta(fields),
    )


def type_name(value: object) -> str:
    """Return what a value is, in a few words."""
    return _TYPES.get(type(value), "a string" if isinstance(value, str) else "an object")


def _holder(fields: Fields, name: str) -> tuple[Fields, str] | None:
    """Return the object that holds a field, and its key there; None if there is no such field."""
    if not name:
        return None
    while name not in fields:
        outer, dot, name = name.partition(".")
        inner = fields.get(outer)
        if not dot or not isinstance(inner, dict):
            return None
        fields = inner
    return fields, name


def declared(fields: Fields, name: str) -> Any:
    """Return the field of a name, None if there is none or the recipe names none."""
    if name in fields:
        return fields[name] if name else None
    if "." not in name:
        return None
    found = _holder(fields, name)
    return found[0][found[1]] if found else None


def _drop(fields: Fields, name: str) -> None:
    if name in fields:
        del fields[name]
        return
    holder, key = _holder(fields, name) or ({}, "")
    holder.pop(key, None)


def decode(data: bytes, config: IngestConfig) -> tuple[str, int]:
    """Decode UTF-8 as ``encoding_errors`` says; return the text and how many bytes were replaced.

    Raises:
        ValueError: naming the first byte that is not UTF-8, unless such are repaired.
    """
    try:
        return data.decode("utf-8"), 0
    except UnicodeDecodeError as error:
        if config.encoding_errors == "repair":
            return decode_lossy(data)
        raise ValueError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start} of the record"
        ) from None


def _take_id(fields: Fields, name: str) -> str | None:
    value = declared(fields, name)
    if type(value) is int or (isinstance(value, str) and value):
        _drop(fields, name)
        return str(value)
    return None


def _take_url(fields: Fields, name: str) -> str | None:
    value = declared(fields, name)
    if not isinstance(value, str):
        return None
    _drop(fields, name)
    return replace_surrogates(value)[0]


def _take_time(fields: Fields, name: str) -> datetime | None:
    """Take an ISO 8601 time (UTC where it names no zone); anything else stays for ``meta``."""
    value = declared(fields, name)
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(time, datetime):
            return None
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    _drop(fields, name)
    return time


def _take_labels(fields: Fields, name: str) -> dict[str, str]:
    """Take an object of scalars; null ones say nothing, anything else stays for ``meta``."""
    labels = declared(fields, name)
    if not isinstance(labels, dict) or any(isinstance(v, dict | list) for v in labels.values()):
        return {}
    _drop(fields, name)
    kept = {key: _scalar(value) for key, value in labels.items() if value is not None}
    return {replace_surrogates(key)[0]: replace_surrogates(value)[0] for key, value in kept.items()}


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else _ENCODER.encode(value)


def _meta(fields: Fields) -> str | None:
    if not fields:
        return None
    kept: list[str] = []
    left_out: list[str] = []
    num_left = MAX_META_BYTES
    for name in sorted(fields):
        member, num_bytes = _member(name, fields[name])
        if num_bytes <= num_left:
            kept.append(member)
            num_left -= num_bytes
        else:
            left_out.append(name[:100])
    if left_out:
        kept.append(_member(_LEFT_OUT, left_out[:_MAX_LEFT_OUT])[0])
    return f"{{{', '.join(kept)}}}"


def _member(name: str, value: object) -> tuple[str, int]:
    """Return a member of a JSON object, and its size in bytes."""
    text = replace_surrogates(f"{_ENCODER.encode(name)}: {_encoded(value)}")[0]
    return text, len(text.encode())


def _plain(value: object) -> object:
    """Return what JSON has no form for, as text: times, bytes, decimals."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=_plain, allow_nan=False)


def _encoded(value: object) -> str:
    try:
        return _ENCODER.encode(value)
    except ValueError:  # a number that is not finite, which columns of Parquet may hold
        return _ENCODER.encode(_finite(value))


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
