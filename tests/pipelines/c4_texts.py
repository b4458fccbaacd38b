"""Texts full of what C4's rules ask for: endings, phrases, citations, long words, line breaks."""

import random

from hypothesis import strategies as st

BREAKS = ["\n", "\r", "\r\n", "\n\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85"]
BREAKS += ["\u2028", "\u2029", "\n \n"]
GOOD_LINES = [
    "The mill stands by the river. It is old.",
    " One two three.  Four five! Six seven eight?\t",
    'She said[1] so: "It [citation needed] turns."',
    "Mr. Smith went to Washington [edit] in 1939.",
    "Don't they say 'never'? They do, e.g. in U.S. books, at 5 p.m. on most days.",
    "Visit www.example.com/a.b?c=d now. See v1.0 (or 2.0.) too!",
    "Дом стоит у реки. 水车在河边。它很旧。 Old indeed.",
]
WORDS = ["the", "use", "uses", "of", "river", "9", "1939.", "(and)", "é", "x" * 1000, "y" * 1001]
PHRASES = [
    "javascript",
    "JavaScript",
    "JAVA[1]SCRIPT",
    "javaſcript",
    "javascrİpt",
    "ｊavascript",
    "Terms of Use",
    "terms  of use",
    "Privacy Policy",
    "COOKIE POLICY",
    "coo\u212aie policy",
    "uses cookies",
    "USE OF COO\u212aIES",
    "use [edit]cookies",
    "terms of terms of use",
    "use ofuse cookies",
]
DROPPING = [
    "{",
    "LOREM Ipsum",
    "lorem[12] ipsum",
    "lorem [] ipsum",
    "lorem ipſum",
    "lorem lorem ip",
]
CITATIONS = ["[1]", "[]", "[٣٤]", "[²]", "[𝟗]", "[ 1]", "[1", "[[2]]", "[edit]", "[Edit]", "[edit"]
CITATIONS += ["[citation needed]", "[citation  needed]", "[citation needed", "[1][2]", "[e", "]"]
ENDINGS = [".", "?", "!", '"', "'", "...", "..", "....", "…", ".[1]", ". [1]", "...[2]", ".[3] [4]"]
ENDINGS += ["", ".)", "。", ".\u00a0[5]", ".[6]\u3000[7]", "[8].", ".[9]..", "{", " .", ".] ]"]
SPACES = [" ", " ", " ", " ", "  ", "\t", "\u00a0", "\u3000", "\x1f", "", "\u200b"]
_PIECES = WORDS + PHRASES[::2] + CITATIONS + SPACES


def random_line(choose: random.Random) -> str:
    """Return a line that is kept as often as not."""
    if choose.random() < 0.55:
        line = choose.choice(GOOD_LINES)
        if choose.random() < 0.3:
            at = choose.randrange(len(line) + 1)
            line = line[:at] + choose.choice(CITATIONS + SPACES + PHRASES) + line[at:]
        return line
    pieces = []
    for _ in range(choose.randrange(9)):
        kinds = [WORDS] * 6 + [CITATIONS] * 4 + [PHRASES, ENDINGS]
        pieces += [choose.choice(choose.choice(kinds)), choose.choice(SPACES)]
    if choose.random() < 0.04:
        pieces.insert(choose.randrange(len(pieces) + 1), choose.choice(DROPPING))
    return "".join(pieces) + choose.choice(ENDINGS)


def random_text(choose: random.Random) -> str:
    """Return a text of which a C4 filter keeps something as often as not."""
    lines = [random_line(choose) for _ in range(choose.randrange(12))]
    return "".join(line + choose.choice(BREAKS) for line in lines)[: -choose.randrange(1, 3)]


_SALAD = st.lists(st.sampled_from(_PIECES), max_size=8).map("".join)
_LINES = st.one_of(
    st.sampled_from(GOOD_LINES),
    st.builds(
        "{} {} {}{}".format,
        st.sampled_from(GOOD_LINES + WORDS + CITATIONS + [" "]),
        st.sampled_from(WORDS + CITATIONS + PHRASES + DROPPING + SPACES),
        _SALAD,
        st.sampled_from(ENDINGS),
    ),
)
C4_TEXTS = st.lists(
    st.lists(st.tuples(_LINES, st.sampled_from(BREAKS)).map("".join), max_size=9).map("".join),
    max_size=4,
)
