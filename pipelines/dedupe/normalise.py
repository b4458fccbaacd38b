"""The normalised form of a text, by which exact duplicates are found and splits are drawn.

Two texts have one form if they differ only in case, punctuation, white space and invisible
characters. In the form,

* characters are folded one by one by the package's table (`pipelines.kernels.unicode_table`),
* runs of white space and punctuation (categories P: ``.,-"()…`` but not ``$+<=>^`|~``, which are
  symbols) are one space, and none stands at the ends,
* invisible characters (category Cf: soft hyphens, zero-width spaces) are left out.

So ``"E-mail, NOW!"`` and ``"e mail now"`` are one, ``"email now"`` is another.
"""

from itertools import pairwise

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
    return [value for chunk in each_chunk(texts) for value in _hash_chunk(chunk)]


def _hash_chunk(texts: TextBuffers) -> list[str]:
    return [
        hash_text(form or RAW_MARKER + _raw(texts, row)) for row, form in enumerate(_forms(texts))
    ]


def _forms(texts: TextBuffers) -> list[bytes]:
    from pipelines.kernels.normalise import normalise_texts

    forms = normalise_texts(texts)
    data = forms.data.tobytes()
    return [data[start:end] for start, end in pairwise(forms.offsets.tolist())]


def _raw(texts: TextBuffers, row: int) -> bytes:
    return texts.data[texts.offsets[row] : texts.offsets[row + 1]].tobytes()
