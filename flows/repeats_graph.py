"""The steps that take repeats out of texts, wired for a recipe."""

from __future__ import annotations

from pipelines.dedupe.choose_lines import STEP as CHOOSE_LINES
from pipelines.dedupe.count_lines import STEP as COUNT_LINES
from pipelines.dedupe.drop_repeats import drop_step
from pipelines.dedupe.find_repeated_lines import STEP as FIND_REPEATED_LINES
from pipelines.dedupe.find_repeats import STEP as FIND_REPEATS
from pipelines.dedupe.find_shared_spans import STEP as FIND_SHARED_SPANS
from pipelines.dedupe.repeats_config import RepeatsConfig
from pipelines.dedupe.sample_spans import STEP as SAMPLE_SPANS
from store.graph import Node

STEPS = (
    "count_lines",
    "find_repeated_lines",
    "choose_lines",
    "sample_spans",
    "find_shared_spans",
    "find_repeats",
    "drop_repeats",
)


def dropping_repeats(config: RepeatsConfig, documents: str) -> list[Node]:
    """Return the steps that take repeats out of a step's documents; none if nothing is taken."""
    if not config.use:
        return []
    read, taken = {"documents": documents}, {}
    nodes = []
    if "lines" in config.use:
        nodes += _lines(config, read)
        taken["lines"] = "choose_lines"
    if "spans" in config.use:
        nodes += _spans(config, read)
        taken["spans"] = "find_repeats"
    return [*nodes, Node(drop_step(config.drop()), config.drop(), {**read, **taken})]


def _lines(config: RepeatsConfig, read: dict[str, str]) -> list[Node]:
    counted = {"lines": "count_lines"}
    return [
        Node(COUNT_LINES, config.count(), read),
        Node(FIND_REPEATED_LINES, config.find(), counted),
        Node(CHOOSE_LINES, config.choose(), {**counted, "repeated": "find_repeated_lines"}),
    ]


def _spans(config: RepeatsConfig, read: dict[str, str]) -> list[Node]:
    spans = config.spans()
    return [
        Node(SAMPLE_SPANS, spans, read),
        Node(FIND_SHARED_SPANS, spans, {"fingerprints": "sample_spans"}),
        Node(FIND_REPEATS, spans, {**read, "shared": "find_shared_spans"}),
    ]
