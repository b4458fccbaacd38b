"""What an edit is: a new text from a text, and what it says of the difference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.decoded import TextBatch


class Edited(NamedTuple):
    """The new texts of a batch, UTF-8, and the facts of each: one array per field of the edit."""

    texts: TextBuffers
    facts: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Edit:
    """A named way to make new text from text; ``name`` ends in the version that it has.

    ``edit`` takes ``n`` texts and returns ``n`` new ones, with an array of ``n`` values for each of
    ``fields``, by name, in their order and of their type. A text's result depends on that text
    alone. Bytes that are not UTF-8 stay as they are where they are kept.

    ``fields`` are int64 columns, documented as signals are, that rules may mention. Their names are
    those of no signal. Variants of one edit share them: a recipe uses one of the variants.
    """

    name: str
    fields: tuple[pa.Field, ...]
    edit: Callable[[TextBatch], Edited]
