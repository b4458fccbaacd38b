import re
import sys

import pyarrow as pa
import pytest
from c4_texts import C4_TEXTS, PHRASES
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels import c4_lines
from pipelines.kernels.c4_lines import LineRules, keep_lines, phrase_automaton, third_longest_lines
from pipelines.kernels.decoded import text_batch

POLICY = {"terms of use", "privacy policy", "cookie policy"}
POLICY |= {"uses cookies", "use of cookies", "use cookies"}


def kept_of(text, rules):
    kept = keep_lines(text_batch(pa.array([text])).codes, rules)
    offsets, codes = kept.as_texts()
    spans = zip(offsets[:-1:2], offsets[1::2], strict=True)
    return kept, ["".join(map(chr, codes[start:end])) for start, end in spans]


def test_phrases_are_those_of_the_paper_and_of_its_code():
    by_bit = {}
    for phrase, bit in c4_lines.PHRASES.items():
        by_bit.setdefault(bit, set()).add(phrase)
    assert list(by_bit.values()) == [{"lorem ipsum"}, {"javascript"}, {"{"}, POLICY]


@given(st.lists(st.sampled_from([*"abcAB{K", "\u212a", "İ", "é"]), max_size=12).map("".join))
def test_an_automaton_finds_what_python_finds(text):
    phrases = {"aba": 1, "ab": 2, "bab": 4, "cabk": 8, "{": 16, "aa": 32}
    steps, found = phrase_automaton(phrases)
    bits = state = 0
    for char in text.lower():
        state = steps[state, ord(char) if char < "\x80" else 0]
        bits |= found[state]
    assert bits == sum(bit for phrase, bit in phrases.items() if phrase in text.lower())


def test_only_kelvin_and_dotted_i_become_ascii_in_lower_case():
    chars = map(chr, range(128, sys.maxunicode + 1))
    lowered = {char: char.lower() for char in chars if min(char.lower()) < "\x80"}
    assert lowered == {"\u212a": "k", "İ": "i\u0307"}
    for phrase in c4_lines.PHRASES:
        assert phrase.isascii()
        assert phrase == phrase.lower()
        assert not phrase.endswith("i")


@pytest.mark.parametrize("phrase", [*c4_lines.PHRASES, *PHRASES])
def test_a_line_with_a_phrase_is_not_kept(phrase):
    line = f"so {phrase} it is."
    cleaned = re.sub(r"\[\d*]|\[edit]", "", line).lower()
    _, kept = kept_of(line, LineRules(min_words=3))
    assert bool(kept) != any(known in cleaned for known in c4_lines.PHRASES)


@pytest.mark.parametrize(
    ("end", "is_longer"),
    [("", False), (" ", False), ("\t", True), ("  ", True), ("\u00a0", True), ("\u3000 ", True)],
)
def test_white_space_that_is_a_word_gets_a_letter_after_it(end, is_longer):
    line = f"One two three.{end}"
    kept, lines = kept_of(f"{line}[1]\nFour five six.", LineRules(3, any_ending=True))
    assert lines == [line + "一" * is_longer, "Four five six."]
    assert kept.bounds.tolist()[2] == len(line) + 1


def test_reading_stops_at_what_drops_a_text_or_goes_on():
    text = "Lorem ipsum is here.\nOne { two.\nFour five six."
    kept, lines = kept_of(text, LineRules(3))
    assert (kept.fates.lorem_ipsum[0], kept.fates.curly_bracket[0], lines) == (1, 0, [])
    kept, lines = kept_of(text + "\nno { end", LineRules(3, reads_on=True))
    assert (kept.fates.lorem_ipsum[0], kept.fates.curly_bracket[0]) == (1, 2)
    assert lines == ["Four five six."]


def test_every_line_has_one_fate():
    seen = 0

    @given(C4_TEXTS)
    def check(texts):
        nonlocal seen
        for any_ending in (False, True):
            rules = LineRules(3, any_ending, reads_on=True)
            kept = keep_lines(text_batch(pa.array(texts, pa.string())).codes, rules)
            num_lines = [len(text.splitlines()) for text in texts]
            assert sum(kept.fates[:8]).tolist() == num_lines if texts else not kept.offsets.any()
            assert kept.sum_by_text(kept.bounds[1::2] * 0 + 1).tolist() == kept.fates.kept.tolist()
            seen += sum(num_lines)

    check()
    assert seen > 0


@given(st.lists(st.text(st.sampled_from("a\n\ré")), max_size=4))
def test_third_longest_line(texts):
    expected = [sorted([0, 0, *map(len, text.split("\n"))])[-3] for text in texts]
    codes = text_batch(pa.array(texts, pa.string())).codes
    assert third_longest_lines(codes).tolist() == expected
