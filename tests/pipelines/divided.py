"""Words of one text as a splitter divides it, as strings, for oracles that begin with words."""

import pyarrow as pa

from pipelines.kernels.decoded import Splitter, text_batch


def words_of(text: str, splitter: Splitter) -> list[str]:
    """Return the words of the text, as strings."""
    words = text_batch(pa.array([text])).words(splitter)
    return [text[start:end] for start, end in zip(words.starts, words.ends, strict=True)]
