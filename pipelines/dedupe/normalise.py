"""The normalised form of a text, by which exact duplicates are found and splits are drawn.

Two texts have one form if they differ only in case, punctuation, white space and invisible
characters. In the form,

* characters are folded one by one by the package's table (`pipelines.kernels.unicode_table`),
* runs of white space and punctuation (categories P: ``.,-"()…`` but not ``$+<=>^`|~``, which are
  symbols) are one space, and none stands at the ends,
* invisible characters (category Cf: soft hyphens, zero-width spaces) are left out.

So ``"E-mail, NOW!"`` and ``"e mail now"`` are one, ``"email now"`` is another.
"""

import pyarrow as pa

from data_contracts.documents import hash_text
from pipelines.kernels.buffers import TextBuffers, each_chunk

# Stands before a raw text in the hash where the form is empty. No form holds punctuation, so no
# form can be equal to a marked text.
RAW_MARKER = b"!raw:"


def normalise(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """Return the normalised form of each text; ``""`` for one without a letter, digit or symbol.

    Normalising a form again changes nothing. Raises `UsageError` for nulls and other types.
    """
    return [form.decode() for chunk in each_chunk(texts) for form in _forms(chunk)]


def hash_normalised(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """Return the `hash_text` of each text's normalised form, as 32 hex digits.

    A text whose form is empty is hashed as it is, behind `RAW_MARKER`: ``"..."`` and ``"?!"`` say
    nothing in common, and only equal ones are duplicates. Equal texts always have equal hashes.
    Raises `UsageError` for nulls and other types.
    """
    return [
        hash_text(form or RAW_MARKER + raw)
        for chunk in each_chunk(texts)
        for form, raw in zip(_forms(chunk), _slices(chunk), strict=True)
    ]


def _forms(texts: TextBuffers) -> list[bytes]:
    from pipelines.kernels.normalise import normalise_texts

    return _slices(normalise_texts(texts))


def _slices(texts: TextBuffers) -> list[bytes]:
    first, last = texts.offsets[0], texts.offsets[-1]
    data = texts.data[first:last].tobytes()
    bounds = (texts.offsets - first).tolist()
    return [data[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
