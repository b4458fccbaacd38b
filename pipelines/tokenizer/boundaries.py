"""Where a text may be cut without changing its ids, told from the vocabulary alone.

Byte pair encoding joins two neighbours if the vocabulary has what they make together, best score
first and then from the left; unigram search chooses among pieces that lie in the text. Neither
looks at anything else, so that no step of theirs crosses a place between two characters that stand
side by side in no piece: what is left of it and what is right of it have the ids that they would
have alone. User-defined symbols are matched from the left, longest first, and are pieces too.

That holds for the text as the model sees it. Spaces are put in and taken out by
`pipelines.kernels.spaces`; other normalisation could reach across any place, and such a model
encodes whole texts.
"""

from __future__ import annotations

from pipelines.kernels.joined_pairs import JoinedPairs, pairs_of
from pipelines.tokenizer.model_proto import ModelSpec, PieceType

_MATCHED = (PieceType.NORMAL, PieceType.USER_DEFINED, PieceType.UNUSED)


def joined_pairs(spec: ModelSpec) -> JoinedPairs:
    """Return the pairs of characters between which texts must not be cut."""
    return pairs_of(spec.of_type(*_MATCHED))


def why_not_cut(spec: ModelSpec) -> str | None:
    """Return why texts of a model must be encoded whole, or None if they may be cut."""
    if spec.model_type not in ("bpe", "unigram"):
        return f"it is of the type {spec.model_type}"
    if spec.charsmap:
        return "it normalises characters"
    if not spec.escape_spaces:
        return "it leaves spaces as they are"
    if spec.remove_extra_spaces and any(" " in t for t in spec.of_type(PieceType.USER_DEFINED)):
        return "it removes spaces, but not those in its own symbols"
    return None
