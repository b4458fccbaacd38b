"""What a family of signals is, and the two kinds of column it may have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.kernels.decoded import TextBatch
from pipelines.signals.lists_config import ListsConfig

# The eight words of Rae et al. 2021 (Gopher, arXiv:2112.11446), appendix A.1.1.
GOPHER_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_MAX_STOP_WORDS = 63  # `pipelines.kernels.words.MAX_STOP_WORDS`, which only numba users import


@dataclass(frozen=True)
class SignalsConfig:
    """What changes the signals.

    ``stop_words`` are the words that `num_stop_words` looks for. ``families`` are measured, besides
    those that every run needs; a recipe adds the families that its rules ask for. Empty: all that
    are measured ``always``. ``edited_families`` are measured of the edited text as well, each
    signal under its name with ``edited_`` before it; ``edits`` are those that made it, whose facts
    stand beside the signals. A recipe fills in both. ``lists`` are files that signals read.

    Raises `RecipeError` for a stop word that can never match, for two that are one when upper and
    lower case are the same, and for more than 63.
    """

    stop_words: tuple[str, ...] = GOPHER_STOP_WORDS
    families: tuple[str, ...] = ()
    edited_families: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    lists: ListsConfig = field(default_factory=ListsConfig)

    def __post_init__(self) -> None:
        for word in self.stop_words:
            if not (word[:1].isalnum() and word[-1:].isalnum() and len(word.split()) == 1):
                raise RecipeError(
                    f"compute_signals.stop_words holds {word!r}; give single words that begin and "
                    "end with a letter or digit."
                )
        if len({word.casefold() for word in self.stop_words}) < len(self.stop_words):
            raise RecipeError("compute_signals.stop_words holds a word twice; take one out.")
        if len(self.stop_words) > _MAX_STOP_WORDS:
            raise RecipeError(
                f"compute_signals.stop_words holds {len(self.stop_words)} words; "
                f"give at most {_MAX_STOP_WORDS}."
            )


@dataclass(frozen=True)
class Family:
    """Signals that are measured together.

    ``measure`` takes ``n`` texts and returns one array of ``n`` values for each of ``fields``, by
    name and of its type (a null in an Arrow array: there is no such value). A text's values depend
    on that text, the columns of its row that the family ``reads``, and the config alone.

    A family with ``always`` is measured in every run; others where a rule asks for them.
    """

    name: str
    fields: tuple[pa.Field, ...]
    measure: Callable[[TextBatch, SignalsConfig], Mapping[str, np.ndarray | pa.Array]]
    always: bool = True
    reads: tuple[str, ...] = ()


def count_field(name: str, unit: str, description: str) -> pa.Field:
    """Return an int64 column that counts ``unit`` in a text."""
    return _field(name, pa.int64(), unit, description, None)


def ratio_field(name: str, unit: str, description: str, most: float | None = None) -> pa.Field:
    """Return a float64 column that `divide` makes; ``unit`` reads ``digits per character``.

    It is at least 0, and at most ``most``, which is 1.0 for a share.
    """
    return _field(name, pa.float64(), unit, description, most)


def divide(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Divide integers by integers, float64, with 0.0 where the denominator is 0.

    It is one IEEE division of two integers below 2**53, so it is the same on every machine.
    """
    quotients = np.zeros(len(numerators), dtype=np.float64)
    return np.divide(numerators, denominators, out=quotients, where=denominators != 0)


def _field(
    name: str, type_: pa.DataType, unit: str, description: str, most: float | None
) -> pa.Field:
    metadata = {"description": description, "unit": unit, "least": "0"}
    if most is not None:
        metadata["most"] = repr(most)
    return pa.field(name, type_, nullable=False, metadata=metadata)
