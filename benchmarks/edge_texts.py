"""Texts near the threshold of each of datatrove's rules, made from real ones.

A maker takes a real text and a dose, and changes the text the more the higher the dose; somewhere
among the doses lies the threshold. Whoever wants texts near it measures them all and keeps those.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

Maker = Callable[[str, int, random.Random], str]
DOSES = 60  # a maker's doses are 0 to 59


def _inserted(text: str, pieces: Sequence[str], draw: random.Random) -> str:
    """Put pieces at random places between the words of a text."""
    words = text.split(" ")
    for piece in pieces:
        words.insert(draw.randrange(len(words) + 1), piece)
    return " ".join(words)


def _lines(text: str, words_per_line: int = 12) -> list[str]:
    words = text.split()
    return [
        " ".join(words[start : start + words_per_line])
        for start in range(0, len(words), words_per_line)
    ]


def repeated_lines(text: str, dose: int, draw: random.Random) -> str:
    """Repeat some of the text's lines."""
    lines = _lines(text)[:40]
    copies = draw.choices(lines, k=len(lines) * dose // DOSES) if lines else []
    mixed = [*lines, *copies]
    draw.shuffle(mixed)
    return "\n".join(mixed)


def repeated_paragraphs(text: str, dose: int, draw: random.Random) -> str:
    """Repeat some of the text's paragraphs."""
    return repeated_lines(text, dose, draw).replace("\n", "\n\n")


def repeated_phrase(num_words: int) -> Maker:
    """Return a maker that puts one phrase of some words at many places."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        words = text.split()[:150]
        start = draw.randrange(max(1, len(words) - num_words))
        phrase = " ".join(words[start : start + num_words])
        return _inserted(" ".join(words), [phrase] * dose, draw)

    return make


def repeated_stretch(num_words: int) -> Maker:
    """Return a maker that repeats stretches a little longer than some words."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        words = text.split()[:400]
        copies = []
        for _ in range(dose // 2):
            start = draw.randrange(max(1, len(words) - num_words - 3))
            copies.append(" ".join(words[start : start + num_words + draw.randrange(3)]))
        return " ".join([*words, *copies])

    return make


def cut(words_at_dose: float, base: int = 0) -> Maker:
    """Return a maker that cuts a text after so many words."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        return " ".join(text.split(" ")[: base + int(dose * words_at_dose)])

    return make


def with_pieces(*pieces: str, times: float = 1.0) -> Maker:
    """Return a maker that strews pieces over a text."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        few = " ".join(text.split(" ")[:200])
        return _inserted(few, draw.choices(pieces, k=int(dose * times)), draw)

    return make


def long_words(text: str, dose: int, draw: random.Random) -> str:
    """Join neighbouring words, so that the mean word grows."""
    words = text.split()[:300]
    joined = []
    while words:
        size = 1 + (draw.random() < dose / DOSES) * draw.randrange(1, 4)
        joined.append("".join(word.strip(".,;:!?()\"'") for word in words[:size]))
        words = words[size:]
    return " ".join(joined)


def short_words(text: str, dose: int, draw: random.Random) -> str:
    """Cut words to a few letters."""
    keep = dose / DOSES
    words = text.split()[:300]
    return " ".join(w if draw.random() > keep else w[: draw.randrange(1, 4)] for w in words)


def marked_lines(before: str, after: str) -> Maker:
    """Return a maker that puts marks before and after a share of the lines."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        share = dose / (DOSES - 1)
        lines = _lines(text)[:60]
        return "\n".join(
            f"{before}{line}{after}" if draw.random() < share else line.rstrip(".…-•")
            for line in lines
        )

    return make


def without_stop_words(text: str, dose: int, draw: random.Random) -> str:
    """Take out all but a few of Gopher's stop words."""
    stop_words = ("the", "be", "to", "of", "and", "that", "have", "with")
    left = set(draw.sample(stop_words, k=dose % 5))
    return " ".join(word for word in text.split(" ") if word not in stop_words or word in left)


def sentences(text: str, dose: int, draw: random.Random) -> str:
    """Keep a few sentences, some of them on lines of their own."""
    parts = [part for part in text.replace("\n", " ").split(". ") if part]
    kept = parts[: dose % 10 + 1]
    return "".join(part + draw.choice([". ", ".\n", "! ", "?\n"]) for part in kept)


def inserted_line(line: str) -> Maker:
    """Return a maker that puts a line into every other text."""

    def make(text: str, dose: int, draw: random.Random) -> str:
        lines = _lines(text, 20)
        if dose % 2:
            lines.insert(draw.randrange(len(lines) + 1), line)
        return ".\n".join(lines)

    return make


def lines_with_stops(text: str, dose: int, draw: random.Random) -> str:
    """Let a small share of the lines end with a full stop."""
    share = dose / DOSES * 0.4
    lines = [line.rstrip(".,;:!?\"'") for line in _lines(text)[:60]]
    return "\n".join(line + "." * (draw.random() < share) for line in lines)


def short_lines(text: str, dose: int, draw: random.Random) -> str:
    """Break a share of the lines into short ones."""
    words, lines = text.split()[:400], []
    while words:
        size = draw.randrange(2, 5) if draw.random() < dose / DOSES else draw.randrange(8, 16)
        lines.append(" ".join(words[:size]) + ".")
        words = words[size:]
    return "\n".join(lines)


def one_repeated_line(text: str, dose: int, draw: random.Random) -> str:
    """Repeat one short line, which is about a hundredth of the text."""
    lines = _lines(text)[:60]
    line = " ".join((lines or ["none"])[0].split()[: 1 + dose % 6])
    return "\n".join([line, *lines, *[line] * (1 + dose // 20)])


def broken_lines(text: str, dose: int, draw: random.Random) -> str:
    """Put a newline for a share of the spaces."""
    share = dose / DOSES * 0.6
    words = text.split()[:300]
    return "".join(word + ("\n" if draw.random() < share else " ") for word in words)


MAKERS: dict[str, Maker] = {
    "dup_para_frac": repeated_paragraphs,
    "dup_para_char_frac": repeated_paragraphs,
    "dup_line_frac": repeated_lines,
    "dup_line_char_frac": repeated_lines,
    **{f"top_{n}_gram": repeated_phrase(n) for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": repeated_stretch(n) for n in range(5, 11)},
    "gopher_short_doc": cut(1.5),
    "gopher_below_avg_threshold": short_words,
    "gopher_above_avg_threshold": long_words,
    "gopher_too_many_hashes": with_pieces("#", "##", "a#b"),
    "gopher_too_many_ellipsis": with_pieces("...", "…", "end...", "so.... then"),
    "gopher_too_many_bullets": marked_lines("- ", ""),
    "gopher_too_many_end_ellipsis": marked_lines("", "..."),
    "gopher_below_alpha_threshold": with_pieces("12", "3.5", "-", "(", "1,000", "+", times=2.0),
    "gopher_enough_stop_words": without_stop_words,
    "lorem_ipsum": inserted_line("Lorem ipsum dolor sit amet."),
    "curly_bracket": inserted_line("if (a) { return b. }"),
    "too_few_sentences": sentences,
    "line_punct_ratio": lines_with_stops,
    "short_line_ratio": short_lines,
    "char_dup_ratio": one_repeated_line,
    "list_ratio": broken_lines,
}


def make_texts(rule: str, bases: Sequence[str], seed: int) -> Iterator[str]:
    """Yield texts of every dose from each of some real texts; the same ones for the same seed."""
    draw = random.Random(f"{rule} {seed}")
    for base in bases:
        for dose in range(DOSES):
            yield MAKERS[rule](base, dose, draw)
