"""The data and the tokenizer as the page shows them: the funnel, sources, lengths, pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.piece_use import PieceUse
from catalog.report import words
from catalog.report.charts import Bar, bar_chart
from catalog.report.count_charts import histogram, log_bins
from catalog.report.facts import Data, ReportFacts, Side, Stage, TokenizerFacts
from catalog.report.flow_chart import Loss, Part, flow_chart
from catalog.report.flow_chart import Stage as FlowStage

MAX_LOSSES = 8  # of one stage; the smallest are pooled
MAX_PIECE_CHARS = 24
MAX_USES = 24  # rows of sources and languages
FIRST = "read"
AFTER = {
    "ingest": "read without fault",
    "remove_requested": "not removed on request",
    "edit_texts": "edited",
    "compute_signals": "measured",
    "apply_policy": "passed the policy",
    "choose_kept": "one of each duplicate",
    "split": "divided",
    "guard_heldout": "not near held-out text",
}
SPLIT_TONES = {"train": "a", "heldout": "b"}
SPLIT_NAMES = {"train": "train", "heldout": "held-out"}


def data_view(facts: ReportFacts) -> dict[str, Any] | None:
    """Return what the template shows of the data."""
    data = facts.data
    if data is None:
        return None
    policy = facts.run.recipe.get("policy")
    rules = facts.rules or _rules(policy if isinstance(policy, dict) else {})
    return {
        "flow": flow_chart(_flow_title(data), _flow(data)),
        "reasons": _reasons(data, rules),
        "sides": [_side(side) for side in data.sides],
        "sources": _source_chart(data),
        "by": data.grouped_by,
        "lengths": _lengths(data),
        "unit": data.length_unit,
        "errors": data.quarantine_errors,
        "passed_over": data.passed_over,
        "lower_block_texts": data.lower_block_texts,
        "changed_texts": data.changed_texts,
        "whole_texts": data.whole_texts,
        "whole_because": data.whole_because,
    }


def _flow_title(data: Data) -> str:
    stages = ", ".join(f"{stage.num_documents:,} {name}" for name, stage in _named(data))
    curated = sum(side.num_documents for side in data.sides)
    return f"What became of the documents: {stages}, {curated:,} curated"


def _named(data: Data) -> list[tuple[str, Stage]]:
    """Return the stages that lost documents, each under the name of what came to it."""
    name, found = FIRST, []
    for stage in data.stages:
        if stage.reasons or stage.quarantined:
            found.append((name, stage))
            name = AFTER.get(stage.step, f"after {stage.step}")
    return found


def _flow(data: Data) -> list[FlowStage]:
    stages = [
        FlowStage(name.capitalize(), stage.num_documents, _text_size(stage), _losses(stage))
        for name, stage in _named(data)
    ]
    if data.sides:
        curated = sum(side.num_documents for side in data.sides)
        parts = [
            Part(SPLIT_NAMES[side.split], side.num_documents, SPLIT_TONES[side.split])
            for side in data.sides
        ]
        kept = [stage for stage in data.stages if stage.num_bytes is not None][-1:]
        note = _text_size(kept[0]) if kept else ""
        stages.append(FlowStage("Curated", curated, note, parts=parts))
    elif data.stages:
        last = data.stages[-1]
        left = last.num_documents - sum(last.reasons.values()) - last.quarantined
        stages.append(FlowStage(AFTER.get(last.step, last.step).capitalize(), left, ""))
    return stages


def _text_size(stage: Stage) -> str:
    return "" if stage.num_bytes is None else f"{words.size(stage.num_bytes)} of text"


def _losses(stage: Stage) -> list[Loss]:
    losses = [Loss(reason, number, reason) for reason, number in stage.reasons.items()]
    if len(losses) > MAX_LOSSES:
        rest = losses[MAX_LOSSES - 1 :]
        pooled = f"{len(rest)} other reasons"
        number = sum(loss.num_documents for loss in rest)
        losses = [*losses[: MAX_LOSSES - 1], Loss(pooled, number, pooled)]
    if stage.quarantined:
        losses.append(Loss("quarantined", stage.quarantined, "could not be read", "bad"))
    return losses


def _rules(policy: Mapping[str, Any]) -> dict[str, str]:
    """Return the conditions of a recipe's rules by their reasons."""
    rules = policy.get("rules") or ()
    pairs = rules.items() if isinstance(rules, dict) else rules
    return {str(pair[0]): str(pair[1]) for pair in pairs if len(pair) == 2}


def _reasons(data: Data, rules: Mapping[str, str]) -> list[dict[str, Any]]:
    read = data.stages[0].num_documents if data.stages else 0
    return [
        {
            "step": stage.step,
            "reason": reason,
            "rule": rules.get(reason, ""),
            "count": words.count(number),
            "share": words.share(number / read) if read else words.NOT_KNOWN,
            "size": words.size(stage.reason_bytes.get(reason)),
        }
        for stage in data.stages
        for reason, number in stage.reasons.items()
    ]


def _side(side: Side) -> dict[str, str]:
    return {
        "name": SPLIT_NAMES.get(side.split, side.split),
        "tone": SPLIT_TONES.get(side.split, "c"),
        "documents": words.count(side.num_documents),
        "size": words.size(side.num_bytes),
        "tokens": words.count(side.num_tokens),
    }


def _source_chart(data: Data) -> str:
    bars = [
        Bar(
            source.name,
            source.num_curated or source.num_read,
            f"{source.num_curated:,}",
            f"of {source.num_read:,}",
            f"{source.name}: {source.num_read:,} read, {source.num_curated:,} curated, "
            f"{source.num_heldout:,} of them held out, {words.size(source.num_bytes)}",
        )
        for source in data.sources
    ]
    return bar_chart(f"Curated documents by {data.grouped_by}, of those read", bars)


def _lengths(data: Data) -> str:
    title = f"Lengths of curated documents in {data.length_unit}"
    return histogram(title, log_bins(data.lengths), f"{data.length_unit} of a document")


def tokenizer_view(found: TokenizerFacts | None) -> dict[str, Any] | None:
    """Return what the template shows of the tokenizer."""
    if found is None:
        return None
    facts = found.facts
    told = [
        ("vocabulary", words.count(facts.get("num_pieces")), "pieces, bytes and marks"),
        ("bytes per token", words.digits(_float(facts, "bytes_per_token")), _measured(facts)),
        ("learnt from", words.size(facts.get("sample_bytes")), _sample(facts)),
    ]
    return {
        "facts": [item for item in told if item[1] != words.NOT_KNOWN],
        "uri": found.uri,
        "pieces": [chip(piece) for piece in found.pieces],
        "num_pieces": len(found.pieces),
        "longest": [chip(piece)["shown"] for piece in found.longest],
        "use": [_use(item) for item in found.use[:MAX_USES]],
        "more_uses": max(0, len(found.use) - MAX_USES),
        "compared": _compared(facts),
        "changed": facts.get("changed_texts") or 0,
    }


def _use(use: PieceUse) -> dict[str, str]:
    rate = use.num_bytes / use.num_tokens if use.num_tokens else float("nan")
    return {
        "source": use.source,
        "language": use.language or "",
        "documents": words.count(use.num_documents),
        "size": words.size(use.num_bytes),
        "bytes_per_token": words.digits(rate),
        "unused": words.count(use.num_unused),
    }


def _compared(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return this model and those that it was compared with, on the same texts; [] if none."""
    others = facts.get("compared") or {}
    models = {"this one": facts, **others} if others else {}
    return [
        {
            "name": name,
            "vocabulary": words.count(told.get("num_pieces")),
            "bytes_per_token": words.digits(_float(told, "bytes_per_token")),
            "unused": words.count(told.get("unused_pieces")),
            "changed": words.count(told.get("changed_texts")),
        }
        for name, told in models.items()
    ]


def _float(facts: Mapping[str, Any], name: str) -> float:
    return float(facts[name]) if words.is_number(facts.get(name)) else float("nan")


def _measured(facts: Mapping[str, Any]) -> str:
    split = SPLIT_NAMES.get(str(facts.get("measured_on")), "")
    return f"on {split} text" if split else ""


def _sample(facts: Mapping[str, Any]) -> str:
    number = facts.get("sample_documents")
    return f"of train text, {words.plural(number, 'document')}" if words.is_number(number) else ""


def chip(piece: str) -> dict[str, Any]:
    """Return a piece as it is shown: spaces as ``·``, a line end as ``⏎``, and its kind."""
    if piece == "\n":
        return {"shown": "⏎", "kind": "space", "ends_line": True}
    is_byte = piece.startswith("<0x") and len(piece) == 6
    shown = piece.replace("▁", "·").replace("\n", "⏎").replace("\t", "⇥")
    kind = "byte" if is_byte else "space" if not shown.strip("·⇥") else "word"
    return {"shown": words.clipped(shown, MAX_PIECE_CHARS), "kind": kind, "ends_line": False}
