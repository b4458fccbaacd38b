"""Texts at the threshold of each rule of datatrove's dialects, one step beyond it and one before.

Words are made up and stand once where nothing else is said, so that only the rule in question is
near its threshold. All lengths are in characters.
"""

from collections.abc import Iterator
from itertools import count, islice, product
from typing import NamedTuple


class Case(NamedTuple):
    """A text that a dialect drops for ``reason``, if it ``drops``, and else keeps."""

    dialect: str
    reason: str
    text: str
    drops: bool


def made_up(length: int = 5) -> Iterator[str]:
    """Yield different words of consonants and vowels."""
    letters = ["bdfgklmnprstv" if at % 2 == 0 else "aeiou" for at in range(length)]
    return map("".join, product(*reversed(letters)))


def filled(num_chars: int) -> str:
    """Return made-up words with spaces between them, of so many characters together."""
    num_words, rest = divmod(num_chars + 1, 8)
    words = list(islice(made_up(7), num_words))
    words[-1] += "x" * rest
    return " ".join(words)


def scattered(phrase: str, times: int, num_chars: int) -> str:
    """Return a text of ``num_chars`` in which a phrase stands so many times between other words."""
    between = [word.upper() for word in islice(made_up(5), times)]
    head = " ".join(f"{phrase} {word}" for word in between)
    return f"{head} {filled(num_chars - len(head) - 1)}"


def repeated_lines(num_copies: int, between: str) -> str:
    """Return 100 lines, of which so many are short copies of one other."""
    words = made_up(9)
    lines = [" ".join(islice(words, 6)) for _ in range(99 - num_copies)]
    return between.join([*lines, *["ok"] * (num_copies + 1)])


def one_repeated_line(num_chars: int, between: str) -> str:
    """Return a text of ``num_chars``, 600 of them in the second copy of a line of one word."""
    line = "z" * 600
    head = between.join([filled(100).title(), line, filled(100).upper(), line, ""])
    return head + filled(num_chars - len(head))


def repetition_cases() -> Iterator[Case]:
    """Yield the cases of the repetition filter."""
    dialect = "gopher_repetition@datatrove-0.10"
    for what, between in (("para", "\n\n"), ("line", "\n")):
        for num_copies in (29, 30, 31):
            text = repeated_lines(num_copies, between)
            yield Case(dialect, f"gopher.dup_{what}_frac", text, num_copies > 30)
        for num_chars in (2999, 3000, 3001):
            text = one_repeated_line(num_chars, between)
            yield Case(dialect, f"gopher.dup_{what}_char_frac", text, num_chars < 3000)
    for n, percent in ((2, 20), (3, 18), (4, 16)):
        phrase = " ".join(islice(made_up(), n))
        for num_chars in (-1, 0, 1):
            text = scattered(phrase, percent, 100 * len(phrase) + num_chars)
            yield Case(dialect, f"gopher.top_{n}_gram", text, num_chars < 0)
    for n, percent in ((5, 15), (6, 14), (7, 13), (8, 12), (9, 11), (10, 10)):
        phrase = " ".join(islice(made_up(), n))
        for num_chars in (-1, 0, 1):
            text = scattered(phrase, percent + 1, 100 * (len(phrase) - n + 1) + num_chars)
            yield Case(dialect, f"gopher.duplicated_{n}_n_grams", text, num_chars < 0)


def words_of_length(num_words: int, num_chars: int, most: int) -> str:
    """Return ``num_words`` words, of at most ``most`` characters each and of ``num_chars`` in all.

    Four of them are ``the`` and ``with``.
    """
    words = ["the", "with", "the", "with"]
    left = num_chars - 14
    for at in range(num_words - 4, 0, -1):
        length = min(most, left - at + 1, -(-left // at))
        words.append("zxqj"[at % 4] * length)
        left -= length
    return " ".join(words)


def quality_cases() -> Iterator[Case]:
    """Yield the cases of the quality filter."""
    dialect = "gopher_quality@datatrove-0.10"
    stop = "the with "

    def case(reason: str, text: str, drops: bool) -> Case:
        return Case(dialect, f"gopher.{reason}", text, drops)

    def words(number: int) -> list[str]:
        return list(islice(made_up(), number))

    for number in (49, 50, 51):
        yield case("short_doc", " ".join(["the", "of", *words(number - 2)]) + " ! ", number < 50)
    for number in (99_999, 100_000, 100_001):
        text = stop + "bada gone " * (number // 2 - 1) + "rest " * (number % 2)
        yield case("long_doc", text, number > 100_000)
    for number in (-1, 0, 1):
        text = words_of_length(100, 300 + number, 4)
        yield case("below_avg_threshold", text, number < 0)
        yield case("above_avg_threshold", words_of_length(100, 1000 + number, 12), number > 0)
    for number in (9, 10, 11):
        rest = " ".join(words(97 - number))
        yield case("too_many_hashes", f"{stop}{rest}{' #' * number} end", number > 10)
        yield case("too_many_ellipsis", f"{stop}{rest}{' ...' * number} end", number > 10)
        yield case("too_many_ellipsis", f"{stop}{rest}{' …' * number} end", number > 10)
    line = " ".join(words(10))
    for number in (89, 90, 91):
        lines = ["  - " + line, " \t• " + line] * 50
        text = "\n".join([stop, *lines[:number], *[line] * (99 - number)])
        yield case("too_many_bullets", text, number > 90)
    for number in (29, 30, 31):
        lines = [f"{line} ... \x1f", f"{line}…\t"] * 20
        text = "\r\n".join([stop, *lines[:number], *[line] * (99 - number)])
        yield case("too_many_end_ellipsis", text, number > 30)
    for number in (79, 80, 81):
        text = " ".join([stop, *words(number - 2), *["2024"] * (100 - number)])
        yield case("below_alpha_threshold", text, number < 80)
    for found in ("the", "the of", "the of be", "The of", "the The", "the the", "(the) [of]"):
        text = f"{found} {' '.join(words(60))}"
        yield case("enough_stop_words", text, found in {"the", "The of", "the The", "the the"})


def fineweb_cases() -> Iterator[Case]:
    """Yield the cases of the FineWeb filter."""
    dialect = "fineweb@datatrove-0.10"

    def case(reason: str, text: str, drops: bool) -> Case:
        return Case(dialect, f"fineweb.{reason}", text, drops)

    for blank in ("", " ", "\n\n", " \t\n\x1c \n"):
        yield case("empty", blank, True)
    yield case("empty", " \n" + filled(60) + ".", False)
    lines = [f"{word} {filled(40)}" for word in islice(made_up(), 100)]
    for number in (11, 12, 13):
        ended = [line + ".?!。"[at % 4] for at, line in enumerate(lines[:number])]
        not_ended = [line + "." + " \t\r,"[at % 4] for at, line in enumerate(lines[number:])]
        yield case("line_punct_ratio", "\n".join([*ended, *not_ended]), number < 12)
    for number in (66, 67, 68):
        short = [f"{word} {filled(23)}." for word in islice(made_up(), number)]
        longer = [f"{word} {filled(24)}." for word in islice(made_up(), 100, 200 - number)]
        yield case("short_line_ratio", "\n".join([*short, *longer]), number > 67)
    for number in (-1, 0, 1):
        body = f"{filled(1000 - 20 - 2 + number)}.!"
        text = f"ninechars.\n{body}\n\nninechars."
        yield case("char_dup_ratio", text, number < 0)
    for num_words, number in zip((101, 100, 99), count(-1)):
        sentences = [f"{word} {filled(31)} ." for word in islice(made_up(), 16)]
        body = ("\n" * 2).join(sentences)
        num_missing = num_words - 16 * 6
        text = body + " " + " ".join(islice(made_up(9), num_missing - 1)) + " ."
        yield case("list_ratio", text, number > 0)


def all_cases() -> list[Case]:
    """Return every case."""
    return [*repetition_cases(), *quality_cases(), *fineweb_cases()]
