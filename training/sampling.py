"""How text is drawn from a model, as plain values: shared by configs, which do without torch."""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """How to draw: ``temperature`` 0 takes the likeliest; only the ``top_k`` likeliest are drawn.

    The same seed gives the same text on the same build of torch. Raises UsageError for values out
    of range.
    """

    max_tokens: int = 200
    temperature: float = 0.8
    top_k: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.top_k < 1 or not 0 <= self.temperature < float("inf"):
            raise UsageError(
                "max_tokens and top_k must be at least 1 and temperature at least 0; "
                f"they are {self.max_tokens}, {self.top_k} and {self.temperature}"
            )
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(f"seed is {self.seed}; give a number from 0 to 2**63 - 1")


def check_prompt(prompt: str) -> None:
    """Raise UsageError if a prompt is no Unicode text (half a character, from a broken input)."""
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the prompt {prompt!r} is not valid Unicode; mend it") from None
