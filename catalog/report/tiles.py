"""The key figures at the top of the page: those that a run has, in the order of the path."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.report import words
from catalog.report.facts import ReportFacts
from catalog.report.verdict import find


@dataclass(frozen=True)
class Tile:
    """A figure with what it counts, and a fainter line below."""

    figure: str
    name: str
    note: str = ""


def tiles(facts: ReportFacts) -> list[Tile]:
    """Return the figures that are known, none for what the run lacks."""
    return [*_data(facts), *_model(facts), *_judged(facts), _time(facts)]


def _data(facts: ReportFacts) -> list[Tile]:
    if facts.data is None or not facts.data.stages:
        return []
    read = facts.data.stages[0].num_documents
    if not facts.data.sides:
        return [Tile(words.count(read), "documents read")]
    curated = sum(side.num_documents for side in facts.data.sides)
    found = [Tile(words.count(curated), "curated documents", f"of {words.count(read)} read")]
    tokens = sum(side.num_tokens or 0 for side in facts.data.sides)
    if tokens:
        sizes = sum(side.num_bytes or 0 for side in facts.data.sides)
        found.append(Tile(words.short(tokens), "tokens", f"from {words.size(sizes)} of text"))
    elif facts.data.stages[-1].num_bytes is not None:
        found.append(Tile(words.size(facts.data.stages[-1].num_bytes), "of curated text"))
    return found


def _model(facts: ReportFacts) -> list[Tile]:
    if facts.pretraining is None:
        return []
    trained = facts.pretraining.facts
    found = []
    if words.is_number(trained.get("num_parameters")):
        seen = trained.get("num_tokens")
        note = f"trained on {words.short(seen)} tokens" if words.is_number(seen) else ""
        found.append(Tile(words.short(trained["num_parameters"]), "parameters", note))
    bits = heldout_bits(facts)
    if bits is not None:
        found.append(Tile(words.digits(bits), "bits per byte", "of held-out text; less is better"))
    return found


def heldout_bits(facts: ReportFacts) -> float | None:
    """Return bits per byte over all held-out documents, else as last measured in training."""
    if facts.pretraining is None:
        return None
    if facts.pretraining.heldout is not None:
        return facts.pretraining.heldout.bits_per_byte
    told = facts.pretraining.facts.get("heldout_bits_per_byte")
    return float(told) if told is not None and words.is_number(told) else None


def _judged(facts: ReportFacts) -> list[Tile]:
    scores = facts.comparison.scores if facts.comparison else ()
    row, other = (find(scores, arm, None, "accuracy") for arm in ("pretrained", "scratch"))
    if row is None:
        return []
    note = f"from scratch {words.score(other.value)}" if other else ""
    return [Tile(words.score(row.value), "accuracy", f"pre-trained; {note}" if note else "")]


def _time(facts: ReportFacts) -> Tile:
    computed = sum(step.partitions_computed for step in facts.steps)
    total = sum(step.partitions for step in facts.steps)
    note = f"{words.count(computed)} of {words.count(total)} partitions computed"
    return Tile(words.duration(facts.run.seconds), "from start to end", note)
