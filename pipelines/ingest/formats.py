"""The formats: each a function from one stream to records, and how streams are opened for them.

A format reader yields one item for each record that it framed (of a page, what is still to be read
of it) and raises ``facts["records_framed"]`` by what it framed, counted apart from parsing; what it
passes over counts in ``facts["records_skipped"]`` too. Where a stream breaks, `BrokenStream` may
leave a reader; what is lost then counts as one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from pipelines.ingest import columnar, json_values, jsonl, separated, whole_text
from pipelines.ingest.archives import Member, members_of
from pipelines.ingest.compressed import BrokenStream, Limits, decompress
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.listing import shown
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, Origin, Pending, Unreadable, num_records
from pipelines.ingest.skipping import num_skipped
from pipelines.ingest.streams import as_stream, blocks_of, scratch_of
from pipelines.ingest.suffixes import Named, recognise
from pipelines.ingest.tar_headers import Gap

_MAX_NAMED = 20

Items = Iterator[Item | Pending]
Reader = Callable[[BinaryIO, Place, IngestConfig, dict[str, Any]], Items]


# What reads pages loads parsers and kernels, so it is imported where it is used.
def _open_html(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    from pipelines.ingest import html

    return html.open_page(stream, place, config, facts)


def _open_warc(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    from pipelines.ingest import warc

    return warc.open_records(stream, place, config, facts)


def _open_wikipedia(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    from pipelines.ingest import wikipedia

    return wikipedia.open_pages(stream, place, config, facts)


FORMATS: dict[str, Reader] = {
    "text": whole_text.read,
    "markdown": whole_text.read_file,
    "code": whole_text.read_code,
    "jsonl": jsonl.read,
    "json": json_values.read,
    "csv": separated.read_csv,
    "tsv": separated.read_tsv,
    "parquet": columnar.read_parquet,
    "arrow": columnar.read_arrow,
    "html": _open_html,
    "warc": _open_warc,
    "wikipedia": _open_wikipedia,
}
# They read on before they give what they read, which a break must not take with it.
_READ_AHEAD = ("warc",)
# Whose version changes rows of a format, and of an archive, which may hold any.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "html": ("justext", "lxml", "resiliparse", "trafilatura"),  # trafilatura asks justext
    "warc": ("fastwarc", "justext", "lxml", "resiliparse", "trafilatura"),
    "wikipedia": ("lxml", "mwparserfromhell"),
}


def read_format(
    name: str, stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    """Yield the records of a stream in the format of a name; what a break took is one record.

    If a reader had counted records that the break kept it from giving, each of them is one.
    """
    num_before, num_given = facts["records_framed"] - num_skipped(facts), 0
    breaks: list[BrokenStream] = []
    if name in _READ_AHEAD:
        stream = as_stream(_until_break(stream, breaks), scratch_of(stream))
    try:
        for item in FORMATS[name](stream, place, config, facts):
            num_given += num_records(item)
            yield item
        for error in breaks:
            raise error
    except BrokenStream as error:
        num_after = num_before + num_given + num_skipped(facts)
        num_owed = max(1, facts["records_framed"] - num_after)
        facts["records_framed"] = num_after + num_owed
        for _ in range(num_owed):
            yield Unreadable(Origin(place.uri, 0, "byte"), str(error), b"")


def _until_break(stream: BinaryIO, breaks: list[BrokenStream]) -> Iterator[bytes]:
    try:
        yield from blocks_of(stream)
    except BrokenStream as error:
        breaks.append(error)


def libraries_of(named: Named) -> tuple[str, ...]:
    """Return the libraries on whose versions the rows of a file depend."""
    if named.archive:
        return tuple(sorted({name for names in LIBRARIES.values() for name in names}))
    return LIBRARIES.get(named.format, ())


def read_archive(
    kind: str, stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    """Yield the records of all members of an archive that are of a format, in their order.

    A member that is refused is one record, as is what damage or a break took. Hidden members and
    those of no format are counted and named in ``facts`` as ignored.
    """
    try:
        for member in members_of(kind, stream, limits_of(config)):
            if isinstance(member, Gap):
                facts["records_framed"] += 1
                yield Unreadable(Origin(place.uri, member.offset, "byte"), member.error, b"")
            else:
                yield from _read_member(member, place, config, facts)
    except BrokenStream as error:
        facts["records_framed"] += 1
        yield Unreadable(Origin(place.uri, 0, "byte"), str(error), b"")


def _read_member(
    member: Member, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Items:
    name = shown(member.name)
    uri, named = f"{place.uri}!{name}", recognise(name, config.format)
    refusal = member.refusal or (named.archive and "an archive within an archive" if named else "")
    if refusal:
        facts["records_framed"] += 1
        yield Unreadable(Origin(uri, 0, "byte"), f"member refused: {refusal}", b"")
    elif member.stream is None or named is None or _is_hidden(name):
        facts["num_members_ignored"] = facts.get("num_members_ignored", 0) + 1
        if len(ignored := facts.setdefault("members_ignored", [])) < _MAX_NAMED:
            ignored.append(uri)
    else:
        folder = {"folder": name.split("/")[0]} if "/" in name else {}
        inside = Place(uri, uri, {**folder, **place.labels})
        content = unpacked(member.stream, named.compression, config)
        yield from read_format(named.format, content, inside, config, facts)


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(p.startswith(".") and p != "." for p in parts)


def limits_of(config: IngestConfig) -> Limits:
    """Return how much a packed file of a source may unpack to."""
    return Limits(config.max_unpacked_bytes, config.max_unpack_ratio)


def unpacked(stream: BinaryIO, compression: str, config: IngestConfig) -> BinaryIO:
    """Return what a stream holds once it is decompressed; "" for one that is not compressed."""
    if not compression:
        return stream
    return as_stream(decompress(stream, compression, limits_of(config)), scratch_of(stream))
