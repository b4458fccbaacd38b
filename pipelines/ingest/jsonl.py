"""One line of JSON Lines to a record: what is text, what is id, what is known besides."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.lines import Line
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from pipelines.ingest.text import decode_lossy, replace_surrogates

MAX_DEPTH = 200
MAX_META_BYTES = 16_384
_MAX_LEFT_OUT = 100
_LEFT_OUT = "_left_out"

# A string may lack its end here, so that hostile quotes cost linear time.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_TYPES = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}


def parse_line(
    line: Line, uri: str, ordinal_key: str, folder: dict[str, str], config: IngestConfig
) -> Item:
    """Return the record of a line, or why there is none.

    Its key is the declared id (a string or an integer), else ``ordinal_key``. Fields that have no
    column of their own go to ``meta``, with sorted names, as far as `MAX_META_BYTES` reach; the
    names of the others stand there as ``_left_out``. ``folder`` gives labels; the line's own win.
    """
    origin, raw = Origin(uri, line.offset, "byte"), line.data[:RAW_BYTES]
    try:
        text, num_repairs = _decode(line, config)
        fields = _load_object(text, config.text_field)
        content = _take_text(fields, config.text_field)
    except ValueError as error:
        return Unreadable(origin, str(error), raw)
    return Record(
        origin=origin,
        key=_take_id(fields, config.id_field) or ordinal_key,
        text=content,
        raw=raw,
        num_repairs=num_repairs,
        url=_take_url(fields, config.url_field),
        published_at=_take_time(fields, config.published_field),
        labels=folder | _take_labels(fields, config.labels_field),
        meta=_meta(fields),
    )


def _decode(line: Line, config: IngestConfig) -> tuple[str, int]:
    if line.is_cut:
        raise ValueError(
            f"the record has {line.num_bytes} bytes, "
            f"over max_record_bytes = {config.max_record_bytes}"
        )
    data = line.data.removeprefix(b"\xef\xbb\xbf") if line.offset == 0 else line.data
    try:
        return data.decode("utf-8"), 0
    except UnicodeDecodeError as error:
        if config.encoding_errors == "repair":
            return decode_lossy(data)
        raise ValueError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start} of the record"
        ) from None


def _load_object(text: str, text_field: str) -> dict[str, Any]:
    """Parse strict JSON; work and depth are bounded by the text, whatever it holds."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"not read: nested deeper than {MAX_DEPTH}")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos} of the record") from None
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object but {_type_name(value)}")
    if text.count(f'"{text_field}"') > 1 and _stands_twice(text, text_field):
        raise ValueError(f"the field {text_field!r} stands twice")
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        deepest = max(deepest, depth)
    return deepest


def _stands_twice(text: str, name: str) -> bool:
    """Return whether the outermost object has a key twice: only the last would be read."""
    pairs = json.loads(text, object_pairs_hook=list)
    return sum(key == name for key, _ in pairs) > 1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"not JSON: {name} is no JSON number")


def _finite_or_text(literal: str) -> float | str:
    value = float(literal)
    return value if math.isfinite(value) else literal


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_or_text)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


def _type_name(value: object) -> str:
    return _TYPES.get(type(value), "a string" if isinstance(value, str) else "an object")


def _take_text(fields: dict[str, Any], name: str) -> str:
    if name not in fields:
        raise ValueError(f"no field {name!r}")
    text = fields.pop(name)
    if not isinstance(text, str):
        raise ValueError(f"the field {name!r} is {_type_name(text)}, not a string")
    return text


def _declared(fields: dict[str, Any], name: str) -> Any:
    """Return the field of a name, None if there is none or the recipe names none."""
    return fields.get(name) if name else None


def _take_id(fields: dict[str, Any], name: str) -> str | None:
    value = _declared(fields, name)
    if type(value) is int or (isinstance(value, str) and value):
        del fields[name]
        return str(value)
    return None


def _take_url(fields: dict[str, Any], name: str) -> str | None:
    if not isinstance(_declared(fields, name), str):
        return None
    return replace_surrogates(fields.pop(name))[0]


def _take_time(fields: dict[str, Any], name: str) -> datetime | None:
    """Take an ISO 8601 time (UTC where it names no zone); anything else stays for ``meta``."""
    if not isinstance(value := _declared(fields, name), str):
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    del fields[name]
    return time


def _take_labels(fields: dict[str, Any], name: str) -> dict[str, str]:
    """Take an object of scalars; null ones say nothing, anything else stays for ``meta``."""
    labels = _declared(fields, name)
    if not isinstance(labels, dict) or any(isinstance(v, dict | list) for v in labels.values()):
        return {}
    del fields[name]
    kept = {key: _scalar(value) for key, value in labels.items() if value is not None}
    return {replace_surrogates(key)[0]: replace_surrogates(value)[0] for key, value in kept.items()}


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _meta(fields: dict[str, Any]) -> str | None:
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
    text = replace_surrogates(f"{_ENCODER.encode(name)}: {_ENCODER.encode(value)}")[0]
    return text, len(text.encode())
