"""A trace as text: what a person reads at a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def format_trace(traced: Mapping[str, Any]) -> str:
    """Return a trace as text for a person."""
    quarantined = traced["num_quarantined"]
    lines = [
        f"run {traced['run']}: {traced['num_found']} documents found by {traced['found_by']}"
        + (f", {quarantined} quarantined records" if quarantined else "")
    ]
    for document in traced["documents"]:
        lines += ["", *_document_lines(document)]
    for row in traced["quarantined"]:
        lines += ["", *_quarantined_lines(row)]
    for what, number in (("documents", "num_found"), ("quarantined", "num_quarantined")):
        more = traced[number] - len(traced[what])
        if more > 0:
            lines += ["", f"and {more} more {what}: ask for more words, or a longer id"]
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Escape what a terminal might obey: file names and texts are not ours."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _document_lines(document: Mapping[str, Any]) -> list[str]:
    start = json.dumps(document["text_start"][:72], ensure_ascii=False)
    signals = ", ".join(f"{name} {_short(value)}" for name, value in document["signals"].items())
    lines = [
        f"{document['doc_id']}  {document['outcome']}"
        + (f", {document['split']}" if document["split"] else ""),
        f"  read from   {document['source']}: {document['uri']}  ({document['record_key']}, "
        f"partition {document['partition']})",
        f"  text        {document['num_chars']} characters: {start}",
    ]
    if signals:
        lines.append(f"  signals     {signals}")
    for fate in document["fates"]:
        lines += _fate_lines(fate)
    return lines


def _fate_lines(fate: Mapping[str, Any]) -> list[str]:
    reason = f"  {fate['reason']}" if fate["reason"] else ""
    lines = [f"  {fate['step']:<18} {fate['fate']}{reason}"]
    if fate["rule"]:
        lines.append(f"      rule      {fate['rule']}")
    if fate["values"]:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in fate["values"].items())
        lines.append(f"      values    {values}")
    if fate["partner"]:
        partner = fate["partner"]
        lines.append(
            f"      partner   {partner['doc_id']}  {partner['uri']} ({partner['record_key']})"
        )
    return lines


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
