"""Which candidate pairs are near-duplicates of which one may go: a rule over measures of the pair.

Shingles say how much two texts share, and not what they differ in: a letter to another customer
shares more than a reprint with another headline. So `strict` asks for the differences too
(`pipelines.kernels.differences.PairFacts`). Where they may be errors of writing or may be facts it
refuses: a duplicate that stays costs little, a text that goes is lost.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from data_contracts.errors import RecipeError

Verify = Literal["strict", "jaccard"]

# What is written otherwise in a few words may be a typing error or another word. It is taken for an
# error in a text that has such errors beyond doubt, and not much more of the one than of the other.
_DOUBTFUL_PER_SLIP = 2
_SLIPS_PER_CHANGED_WORD = 3
# A word lost in copying breaks five shingles and makes four: nothing else may differ in 180 words.
_JACCARD_OF_A_DROPPED_WORD = 0.95
# A headline, a byline and a dateline are one or two lines, an article has more; of the words of a
# headline many have capitals, of an article's few. Behind an article there is only a credit line.
_MAX_HEAD_WORDS, _MAX_HEAD_PLAIN = 15, 5
_MAX_TAIL_WORDS, _MAX_TAIL_PLAIN = 12, 6

_STRICT = (
    "changed_numbers = 0",
    "changed_names = 0",
    "negations = 0",
    "added_words = 0",
    f"dropped_words = 0 OR (dropped_words = 1 AND jaccard >= {_JACCARD_OF_A_DROPPED_WORD})",
    f"doubtful <= {_DOUBTFUL_PER_SLIP} * slips",
    f"{_SLIPS_PER_CHANGED_WORD} * changed_words <= slips",
    f"head_words <= {_MAX_HEAD_WORDS}",
    f"head_plain <= {_MAX_HEAD_PLAIN}",
    f"tail_words <= {_MAX_TAIL_WORDS}",
    f"tail_plain <= {_MAX_TAIL_PLAIN}",
)


@dataclass(frozen=True)
class VerifyConfig:
    """``verify``: ``jaccard`` asks for ``min_jaccard``, in (0, 1], alone; ``strict`` for all.

    Raises:
        RecipeError: for another rule, or a Jaccard similarity that is none.
    """

    verify: Verify = "strict"
    min_jaccard: float = 0.7

    def __post_init__(self) -> None:
        if self.verify not in get_args(Verify):
            raise RecipeError(
                f"dedupe.verify is {self.verify!r}; give {' or '.join(get_args(Verify))}."
            )
        if not 0 < self.min_jaccard <= 1:
            raise RecipeError(
                f"dedupe.min_jaccard is {self.min_jaccard}; give more than 0 and at most 1."
            )


def condition(config: VerifyConfig) -> str:
    """Return what a pair must satisfy, as SQL: a boolean over ``jaccard`` and `PairFacts`' names.

    No column may be null. Terms stand in an order in which the first that fails names the reason
    best (`terms`).
    """
    return " AND ".join(f"({term})" for term in terms(config))


def terms(config: VerifyConfig) -> tuple[str, ...]:
    """Return the terms of `condition`, to tell which of them a pair fails."""
    similar = f"jaccard >= {config.min_jaccard!r}"
    return (similar, *_STRICT) if config.verify == "strict" else (similar,)
