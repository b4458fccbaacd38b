"""Which candidate pairs are near-duplicates of which one may go: a rule over measures of the pair.

Shingles say how much two texts share, and not what they differ in: a letter to another customer
shares more than a reprint with another headline. So `strict` asks for the differences too
(`pipelines.kernels.differences.PairFacts`). Where they may be errors of writing or may be facts it
refuses: a duplicate that stays costs little, a text that goes is lost. And it says which of the two
may go: one whose words the other has, but for the furniture of a page and the head of a story.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from data_contracts.errors import RecipeError

Verify = Literal["strict", "jaccard"]
Side = Literal["left", "right"]

# What is written otherwise in a few words may be a typing error or another word. It is taken for an
# error in a text that has such errors beyond doubt, and not much more of the one than of the other.
_DOUBTFUL_PER_SLIP = 2
_SLIPS_PER_CHANGED_WORD = 3
# A word lost in copying breaks five shingles and makes four: nothing else may differ in 180 words.
_JACCARD_OF_A_DROPPED_WORD = 0.95
# A headline, a byline and a credit line that nothing excuses are a line or two; of the words of a
# headline many have capitals. What is lost with them is little only beside much that is the same.
_MAX_LOST_WORDS, _MAX_LOST_PLAIN = 15, 5
_JACCARD_OF_A_LOST_LINE = 0.85
_MAX_LOST_OF_BOTH = 30  # a line that stands against far more is no headline
# Of texts in two frames the words of the core are compared: fewer are no article.
_MIN_CORE_WORDS = 40

_STRICT = (
    "changed_numbers = 0",
    "changed_names = 0",
    "negations = 0",
    "added_words = 0",
    f"dropped_words = 0 OR (dropped_words = 1 AND jaccard >= {_JACCARD_OF_A_DROPPED_WORD})",
    f"doubtful <= {_DOUBTFUL_PER_SLIP} * slips",
    f"{_SLIPS_PER_CHANGED_WORD} * changed_words <= slips",
)
_LOST = (
    "{side}_lost = 0 OR ("
    f"jaccard >= {_JACCARD_OF_A_LOST_LINE} AND {{side}}_lost <= {_MAX_LOST_WORDS}"
    f" AND {{side}}_lost_plain <= {_MAX_LOST_PLAIN}"
    f" AND greatest(left_lost, right_lost) <= {_MAX_LOST_OF_BOTH})"
)
_CORE = (
    f"core_words >= {_MIN_CORE_WORDS} AND core_words >= {{least}} * (core_words + slips + doubtful"
    " + dropped_words + changed_words + {side}_lost)"
)


@dataclass(frozen=True)
class VerifyConfig:
    """``verify``: ``jaccard`` asks for ``min_jaccard`` alone; ``strict`` for all.

    ``min_jaccard``, in (0, 1]: how much of the shingles of both texts must be shared, or, for
    ``strict``, how many of the words of the one that goes the other must have, frames aside.

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
    """Return when two texts are near-duplicates: when one of them may go (`may_go`)."""
    return f"({may_go(config, 'left')}) OR ({may_go(config, 'right')})"


def may_go(config: VerifyConfig, side: Side) -> str:
    """Return what a pair must satisfy for the text of one side to go if the other stays, as SQL.

    It is a boolean over ``jaccard`` and `PairFacts`' names; no column may be null.
    """
    return " AND ".join(f"({term})" for term in terms(config, side))


def terms(config: VerifyConfig, side: Side) -> tuple[str, ...]:
    """Return the terms of `may_go`, in an order in which the first that fails tells best why."""
    similar = f"jaccard >= {config.min_jaccard!r}"
    if config.verify == "jaccard":
        return (similar,)
    core = _CORE.format(least=repr(config.min_jaccard), side=side)
    return (f"{similar} OR ({core})", *_STRICT, _LOST.format(side=side))
