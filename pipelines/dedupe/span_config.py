"""What a repeated span is, as the steps that look for them all read it."""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts.errors import RecipeError

LEAST_SPAN_BYTES, MOST_SPAN_BYTES = 16, 4096
_GRAMS = 4  # in the least span


@dataclass(frozen=True)
class SpansConfig:
    """``min_span_bytes`` is how long a repeat is at least, in bytes of UTF-8, 16 to 4,096.

    ``num_buckets``, 1 to 65,536, is into how many parts the search is divided. The number of bytes
    follows what Lee et al. 2021 (Deduplicating Training Data Makes Language Models Better,
    arXiv:2107.06499, section 4.1) take for long enough: 50 tokens, about 200 bytes of English.
    """

    min_span_bytes: int = 200
    num_buckets: int = 8

    def __post_init__(self) -> None:
        if not LEAST_SPAN_BYTES <= self.min_span_bytes <= MOST_SPAN_BYTES:
            raise RecipeError(
                f"spans.min_span_bytes is {self.min_span_bytes}; "
                f"give {LEAST_SPAN_BYTES} to {MOST_SPAN_BYTES}."
            )
        if not 1 <= self.num_buckets <= 2**16:
            raise RecipeError(f"spans.num_buckets is {self.num_buckets}; give 1 to {2**16}.")

    @property
    def gram_bytes(self) -> int:
        """How many bytes of a repeat are hashed to find it."""
        return self.min_span_bytes // _GRAMS
