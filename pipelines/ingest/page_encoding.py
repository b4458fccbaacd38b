"""In which encoding a web page is written: what it declares, as browsers ask, else what fits it.

The order is that of the Encoding and HTML standards of WHATWG: byte order mark, HTTP header, a
``meta`` near the start ("prescan a byte stream"). A page that declares nothing is UTF-8 if it can
be, else what a detector of byte frequencies says.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

PRESCAN_BYTES = 65_536  # the standard asks for 1,024 and lets a parser honour what comes later

_MAX_LABEL_BYTES = 1024  # from "charset" to the end of the tag

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The standard reads these labels as the larger sets that Windows and the web make of them.
_WIDER = {
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859-11": "cp874",
}
_MORE_LABELS = {"x-mac-cyrillic": "mac-cyrillic", "x-mac-ukrainian": "mac-cyrillic"}

_TAG = re.compile(rb"<(?:!--|(?i:meta)(?=[\s/])|/?[a-zA-Z][^\s>]*|[!/?])")
_ATTRIBUTE = re.compile(
    rb"[\s/]*+(?:>|([^\s/>][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?)"
)
_REST_OF_TAG = re.compile(  # what `_attributes` reads
    rb"(?:[\s/]*+[^\s/>][^\s/>=]*(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]*))?)*+[\s/]*+>"
)
_CHARSET = re.compile(
    rb"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"'\s;][^\s;]*))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page as text: its Python codec, and how many U+FFFD stand for what could not be decoded."""

    text: str
    codec: str
    num_repairs: int


def decode_page(data: bytes, declared: str | None, repair: bool) -> Decoded:
    """Decode a page; ``declared`` is the charset of its HTTP header, if it has one.

    Raises:
        ValueError: if bytes are not of the encoding, unless they are to be repaired (to U+FFFD).
    """
    return _decode(data, *find_codec(data, declared), repair)


def decode_text(data: bytes, declared: str | None, repair: bool) -> Decoded:
    """Decode plain text in the same way; what looks like markup in it declares nothing.

    Raises:
        ValueError: as `decode_page` does.
    """
    codec, num_mark_bytes = _marked(data)
    return _decode(data, codec or codec_of(declared) or _fitting(data), num_mark_bytes, repair)


def _decode(data: bytes, codec: str, num_mark_bytes: int, repair: bool) -> Decoded:
    body = data[num_mark_bytes:]
    try:
        return Decoded(body.decode(codec), codec, 0)
    except UnicodeDecodeError as error:
        if not repair:
            at = error.start + num_mark_bytes
            raise ValueError(f"not {codec}: byte 0x{data[at]:02x} at byte {at}") from None
    text = body.decode(codec, "replace")
    return Decoded(text, codec, max(1, text.count("\ufffd")))


def find_codec(data: bytes, declared: str | None) -> tuple[str, int]:
    """Return the Python codec of a page, and how many bytes its byte order mark takes."""
    codec, num_mark_bytes = _marked(data)
    return codec or codec_of(declared) or prescan(data) or _fitting(data), num_mark_bytes


def _marked(data: bytes) -> tuple[str | None, int]:
    return next(((codec, len(mark)) for mark, codec in _MARKS if data.startswith(mark)), (None, 0))


def codec_of(label: str | None) -> str | None:
    """Return the Python codec of a label of the Encoding Standard, None for one it does not have.

    Labels that the standard maps to "replacement" (UTF-7, ISO-2022-KR, HZ) are refused with others.
    """
    label = (label or "").strip().lower()
    codec = _MORE_LABELS.get(label) or map_encoding_to_html5(label, fallback_utf8=False)
    return _WIDER.get(codec, codec) if codec else None


def prescan(data: bytes) -> str | None:
    """Return the codec that a ``meta`` in the first `PRESCAN_BYTES` declares, None without one."""
    at, head = 0, data[:PRESCAN_BYTES]
    last = head.lower().rfind(b"charset")
    head = head[: last + _MAX_LABEL_BYTES] if last >= 0 else b""
    while found := _TAG.search(head, at):
        tag = found[0].lower()
        at = found.end()
        if tag == b"<!--":
            at = head.find(b"-->", at - 2) + 3
            if at < 3:
                return None
        elif tag in (b"<!", b"</", b"<?"):
            at = head.find(b">", at) + 1
            if not at:
                return None
        elif tag != b"<meta":
            rest = _REST_OF_TAG.match(head, at)
            at = rest.end() if rest else len(head)
        else:
            attributes, at = _attributes(head, at)
            if codec := _of_meta(attributes):
                return "utf-8" if codec.startswith("utf-16") else codec  # it was read as ASCII
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """Return the attributes of a tag, the first of each name, and where the tag ends."""
    attributes: dict[bytes, bytes] = {}
    while found := _ATTRIBUTE.match(head, at):
        at = found.end()
        if found[1] is None:
            return attributes, at
        value = next((group for group in found.groups()[1:] if group is not None), b"")
        attributes.setdefault(found[1].lower(), value)
    return {}, len(head)  # it does not end here, so that it declares nothing


def _of_meta(attributes: dict[bytes, bytes]) -> str | None:
    label = attributes.get(b"charset")
    if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        found = _CHARSET.search(attributes.get(b"content", b""))
        label = (
            next((group for group in found.groups() if group is not None), b"") if found else b""
        )
    return codec_of(label.decode("latin-1")) if label else None


def _fitting(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        detected = detect_encoding(data, max_len=PRESCAN_BYTES, html5_compatible=True)
        return codec_of(detected) or "cp1252"
    return "utf-8"
