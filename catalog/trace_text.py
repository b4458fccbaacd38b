"""A trace as text: what a person reads at a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from store.hints import counted

MAX_LINE_CHARS = 100  # of the list of signals
REPEATS = {
    "duplicate.exact_text": "same text as",
    "duplicate.exact_normalised": "same words as",
    "duplicate.near": "near-duplicate of",
}


def format_trace(traced: Mapping[str, Any]) -> str:
    """Return a trace as text for a person."""
    quarantined = traced["num_quarantined"]
    lines = [
        f"run {traced['run']}: {counted(traced['num_found'], 'document')} found by "
        + traced["found_by"]
        + (f", {counted(quarantined, 'quarantined record')}" if quarantined else "")
    ]
    for document in traced["documents"]:
        lines += ["", *_document_lines(document)]
        if traced["num_found"] == 1:
            lines += _signal_lines(document["signals"])
    for row in traced["quarantined"]:
        lines += ["", *_quarantined_lines(row)]
    more = {
        "more document": traced["num_found"] - len(traced["documents"]),
        "more quarantined record": traced["num_quarantined"] - len(traced["quarantined"]),
    }
    for what, number in more.items():
        if number > 0:
            lines += ["", f"and {counted(number, what)}: ask for more words, or a longer id"]
    return "\n".join(map(printable, lines))


def printable(line: str) -> str:
    """Escape what a terminal might obey: file names and texts are not ours."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _document_lines(document: Mapping[str, Any]) -> list[str]:
    start = json.dumps(document["text_start"][:72], ensure_ascii=False)
    return [
        f"{document['doc_id']}  {document['outcome']}"
        + (f", {document['split']}" if document["split"] else ""),
        *(line for fate in document["fates"] for line in _fate_lines(fate)),
        f"  read from   {document['source']}: {document['uri']}  ({document['record_key']}, "
        f"partition {document['partition']})",
        f"  text        {counted(document['num_chars'], 'character')}: {start}",
        *_stands_for_lines(document["stands_for"]),
    ]


def _stands_for_lines(cluster: Mapping[str, Any] | None) -> list[str]:
    """Tell what was dropped for a document: how many by each reason, and the least similar."""
    if cluster is None:
        return []
    counts = ", ".join(f"{number} {reason}" for reason, number in cluster["reasons"].items())
    left_out = cluster["num_members"] - len(cluster["members"])
    return [
        f"  stands for  {counted(cluster['num_members'], 'other document')}: {counts}",
        *(f"              {_member(member)}" for member in cluster["members"]),
        *([f"              and {left_out} more"] if left_out else []),
    ]


def _member(member: Mapping[str, Any]) -> str:
    place = member["document"]
    return f"{place['doc_id']}  {place['uri']} ({place['record_key']})  {similarity(member)}"


def similarity(measured: Mapping[str, Any]) -> str:
    """Return how alike two texts are, in words: ``jaccard 0.93, containment 0.98``."""
    return f"jaccard {measured['jaccard']:.2f}, containment {measured['containment']:.2f}"


def _signal_lines(signals: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{name}={_short(value)}" for name, value in signals.items())
    label = "  signals     "
    return textwrap.wrap(
        told,
        MAX_LINE_CHARS,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    )


def _fate_lines(fate: Mapping[str, Any]) -> list[str]:
    reason = f"  {fate['reason']}" if fate["reason"] else ""
    lines = [f"  {fate['step']:<18} {fate['fate']}{reason}"]
    if fate["rule"]:
        lines.append(f"      rule      {fate['rule']}")
    if fate["values"]:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in fate["values"].items())
        lines.append(f"      values    {values}")
    if fate["partner"]:
        lines.append(f"      {_partner(fate['partner'], fate['reason'])}")
    return lines


def _partner(partner: Mapping[str, Any], reason: str | None) -> str:
    """Name a partner, and how similar it is where that was measured and is not plain equality."""
    place = f"{partner['doc_id']}  {partner['uri']} ({partner['record_key']})"
    is_equal = reason in REPEATS and reason != "duplicate.near"
    measured = "" if is_equal or partner["jaccard"] is None else f"  ({similarity(partner)})"
    return f"{REPEATS.get(reason or '', 'partner  ')} {place}{measured}"


def _quarantined_lines(row: Mapping[str, Any]) -> list[str]:
    raw = json.dumps((row["raw_start"] or "")[:72], ensure_ascii=False)
    return [
        f"{row['doc_id'] or '(no id)'}  quarantined by {row['step']}",
        f"  read from   {row['source']}: {row['uri']}, {row['unit']} {row['position']} "
        f"(partition {row['partition']})",
        f"  error       {row['error']}",
        f"  begins      {raw}",
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
