"""Texts full of what signals and normalised forms care about, in every layout that Arrow has."""

import unicodedata
from collections.abc import Sequence

import pyarrow as pa
from hypothesis import strategies as st

SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u00a0\u2028\u2029\u3000"
MARKS = ".…!?。！？\"')]}”’»」#-•*,;$+`|"
LETTERS = "aAbBzZ019éÉßẞİıſKΣσςǅͅȺⱥ中文١ก\U0001f44d\U0001f3fd\U00010400"
INVISIBLE = "\u200b\u200d\u00ad\ufeff\u0000\u0301"
WORDS = [
    "the",
    "The",
    "of",
    "(and)",
    '"WITH"',
    "that...",
    "ſo",
    "be-",
    "...",
    "-",
    "…",
    "#",
    "\n\n",
]


def is_old(char: str) -> bool:
    """Whether the character has stood in Unicode for so long that its class no longer changes."""
    return unicodedata.ucd_3_2_0.category(char) not in {"Cn", "Cs"}


_PIECES = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
    st.sampled_from(["one line\n", "- another\n", " one line \r\n"]),
    st.text(st.sampled_from(SPACES), max_size=3),
    st.text(st.sampled_from(SPACES + MARKS + LETTERS + INVISIBLE), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]).filter(is_old), max_size=4),
    st.sampled_from("a.\n中").map(lambda char: char * 40),
)

# Has something of everything, so that each signal is other than 0 in at least one case.
ORDINARY_TEXTS = [
    'The first of 2 lines... #1\n\n- so, a "bullet", Ça alors.\n- so, a "bullet", Ça alors.'
]
HOSTILE_TEXTS = st.lists(st.lists(_PIECES, max_size=12).map("".join), max_size=6)


def as_arrays(texts: Sequence[str]) -> list[pa.Array]:
    """Return the same texts as every kind of array that Arrow may hand to a kernel."""
    padded = pa.array(["é\n#", *texts, "…"], pa.string())
    return [
        pa.array(texts, pa.string()),
        pa.array(texts, pa.large_string()),
        padded.slice(1, len(texts)),
        padded.cast(pa.large_string()).slice(1, len(texts)),
        pa.array(texts, pa.string_view()),
    ]
