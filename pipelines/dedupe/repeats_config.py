"""What is taken out of texts for standing elsewhere too: lines of a site, spans of the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.dedupe.choose_lines import ChooseLinesConfig
from pipelines.dedupe.count_lines import CountLinesConfig
from pipelines.dedupe.drop_repeats import DropConfig
from pipelines.dedupe.find_repeated_lines import RepeatedLinesConfig
from pipelines.dedupe.span_config import SpansConfig


@dataclass(frozen=True)
class RepeatsConfig:
    """``use``: ``lines``, ``spans``, both in this order, or nothing.

    ``unit`` (lines or paragraphs), ``min_chars`` and ``min_documents`` say which lines of a site
    are boilerplate, ``keep`` where one of them stays (none or first); ``min_span_bytes`` is how
    long a span is at least that stands twice in the corpus; all but its first place are taken.
    """

    use: tuple[str, ...] = ()
    unit: Literal["lines", "paragraphs"] = "lines"
    min_chars: int = 20
    min_documents: int = 10
    keep: Literal["none", "first"] = "none"
    min_span_bytes: int = 200
    num_buckets: int = 8

    def __post_init__(self) -> None:
        if self.use:
            self.drop()
        self.count(), self.find(), self.choose(), self.spans()

    def count(self) -> CountLinesConfig:
        """Return which lines are counted; raises RecipeError, as the others do."""
        return CountLinesConfig(self.unit, self.min_chars, self.num_buckets)

    def find(self) -> RepeatedLinesConfig:
        """Return from how many documents on a line is boilerplate."""
        return RepeatedLinesConfig(self.min_documents, self.num_buckets)

    def choose(self) -> ChooseLinesConfig:
        """Return where a repeated line stays."""
        return ChooseLinesConfig(self.keep)

    def spans(self) -> SpansConfig:
        """Return which spans are repeats."""
        return SpansConfig(self.min_span_bytes, self.num_buckets)

    def drop(self) -> DropConfig:
        """Return what is taken."""
        return DropConfig(self.use)
