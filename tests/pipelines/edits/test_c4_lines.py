import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from c4_texts import C4_TEXTS, GOOD_LINES
from hostile_texts import as_arrays
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.edits.c4_lines import EDITS, FIELDS, edit_lines
from pipelines.kernels.decoded import text_batch

C4, ANY_ENDING = EDITS
POLICIES = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies"]
POLICIES += ["use cookies"]
TAKEN = ("long_word", "unpunctuated", "short", "javascript", "policy")


def count_stops(line):
    return len(re.findall("[.?!。]", line))


def count_stops_of(seen):
    """Return a counter of sentences that works on codes and tells which lines it has seen."""

    def count(lines):
        ends = lines.offsets.tolist()
        texts = ["".join(map(chr, lines.codes[start:end])) for start, end in pairwise(ends)]
        seen.extend(texts[::2])
        return np.array([count_stops(text) for text in texts], dtype=np.int64)

    return count


def fate_of(line, any_ending):
    """Return why a line is taken, or "kept"; what is left of it; and the citations that it had."""
    words = line.split()
    if max(map(len, words), default=0) > 1000:
        return "long_word", line, 0
    cleaned, num_citations = re.subn(r"\[\d*]|\[edit]|\[citation needed]", "", line)
    if not any_ending and (cleaned[-1:] not in tuple(".?!\"'") or cleaned.endswith("...")):
        return "unpunctuated", cleaned, num_citations
    lowered = cleaned.lower()
    asked = {
        "short": len(words) < 3,
        "lorem_ipsum": "lorem ipsum" in lowered,
        "javascript": "javascript" in lowered,
        "curly_brackets": "{" in cleaned,
        "policy": any(policy in lowered for policy in POLICIES),
        "kept": True,
    }
    return next(fate for fate, holds in asked.items() if holds), cleaned, num_citations


def oracle(text, any_ending):
    """Return the edited text, the facts, and the lines whose sentences are counted."""
    facts, kept = Counter(), []
    for line in map(str.strip, text.splitlines()):
        fate, cleaned, num_citations = fate_of(line, any_ending)
        facts[fate if fate in ("lorem_ipsum", "curly_brackets") else f"{fate}_lines"] += 1
        if fate in ("lorem_ipsum", "curly_brackets"):
            break
        if fate == "kept":
            kept.append(cleaned)
            facts["citations"] += num_citations
            facts["sentences"] += max(count_stops(cleaned), 1)
    is_dropped = facts["lorem_ipsum"] or facts["curly_brackets"] or facts["sentences"] < 5
    return text if is_dropped else "\n".join(kept).strip(), facts, kept


def with_letter(line):
    """Return a line as spaCy counts its sentences: white space at its end may be a word."""
    after = line[len(line.rstrip()) :]
    return line if after in ("", " ") else line + "一"


def texts_of(buffers):
    return [buffers.data[start:end].tobytes() for start, end in pairwise(buffers.offsets.tolist())]


def check_edit(array, expected, any_ending, touched):
    seen = []
    edited = edit_lines(text_batch(array), any_ending, count_stops_of(seen))
    assert texts_of(edited.texts) == [
        text.encode("utf-8", "surrogateescape") for text, _, _ in expected
    ]
    assert seen == [with_letter(line) for _, _, kept in expected for line in kept]
    assert list(edited.facts) == [field.name for field in FIELDS]
    for name, values in edited.facts.items():
        told = [facts[name.removeprefix("num_c4_edit_")] for _, facts, _ in expected]
        assert values.tolist() == told, name
        touched[name] += sum(map(bool, told))


@pytest.mark.parametrize("any_ending", [False, True])
def test_texts_and_facts_are_those_of_python(any_ending):
    touched = Counter({"edited": 0} | {field.name: 0 for field in FIELDS})

    @example(["\n".join([*GOOD_LINES, "x" * 1001, "no end", "So short.", "Needs JavaScript now."])])
    @example(["The policy on cookies: we use cookies.\nOne two three [1].\nIt is: Lorem ipsum."])
    @example(["It is a {.\n" + "\n".join(GOOD_LINES)])
    @given(C4_TEXTS)
    def check(texts):
        expected = [oracle(text, any_ending) for text in texts]
        touched["edited"] += sum(
            text != old for old, (text, *_) in zip(texts, expected, strict=True)
        )
        for array in as_arrays(texts)[:2]:
            check_edit(array, expected, any_ending, touched)

    check()
    assert bool(touched.pop("num_c4_edit_unpunctuated_lines")) != any_ending
    assert min(touched.values()) > 0, touched


@example([b"\xc3 one two[1]\xa9. " * 5 + b"\xff\xfe."])
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    b"One two three. ",
                    b"\n",
                    b"\xff",
                    b"\xc3[1]\xa9",
                    b"\xe2\x80",
                    b"[\xd9\xa3]",
                    b". It's ",
                ]
            )
        ).map(b"".join),
        max_size=4,
    )
)
def test_bytes_that_are_not_utf_8_stay_as_they_are(raws):
    offsets = np.cumsum([0, *map(len, raws)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(raws))]
    array = pa.Array.from_buffers(pa.string(), len(raws), buffers)
    for any_ending in (False, True):
        texts = [raw.decode("utf-8", "surrogateescape") for raw in raws]
        expected = [oracle(text, any_ending) for text in texts]
        check_edit(array, expected, any_ending, Counter())


def edit_one(edit, text):
    edited = edit.edit(text_batch(pa.array([text])))
    facts = {
        name.removeprefix("num_c4_edit_"): int(value[0]) for name, value in edited.facts.items()
    }
    return texts_of(edited.texts)[0].decode(), facts


def test_example():
    text = (
        "Home\nMillraces[1] carry water. They are old.[2]\r\nNo full stop here\n"
        "Please enable JavaScript in it.\nToo short.\nWe use cookies on it. \n"
        "\tA third one[edit] follows. A fourth! A fifth?\n"
    )
    after = "Millraces carry water. They are old.\nA third one follows. A fourth! A fifth?"
    edited, facts = edit_one(C4, text)
    assert edited == after
    assert [facts[f"{fate}_lines"] for fate in TAKEN] == [0, 2, 1, 1, 1]
    assert [facts[name] for name in ("kept_lines", "citations", "sentences")] == [2, 3, 5]
    edited, facts = edit_one(ANY_ENDING, text)
    assert edited == after.replace("\n", "\nNo full stop here\n")
    assert [facts[f"{fate}_lines"] for fate in TAKEN] == [0, 0, 2, 1, 1]
    assert [facts[name] for name in ("kept_lines", "citations", "sentences")] == [3, 3, 6]


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("x" * 1001 + " lorem ipsum", "long_word_lines"),
        ("x" * 1000 + " here.", "short_lines"),
        ("x" * 1000 + " lorem ipsum it.", "lorem_ipsum"),
        ("lorem ipsum { javascript", "unpunctuated_lines"),
        ("lorem ipsum...", "unpunctuated_lines"),
        ("lorem ipsum.", "short_lines"),
        ("javascript { lorem ipsum.", "lorem_ipsum"),
        ("use cookies { javascript.", "javascript_lines"),
        ("use cookies { it.", "curly_brackets"),
        ("we use cookies.", "policy_lines"),
        ("we use cook.", "kept_lines"),
    ],
)
def test_the_first_answer_counts(line, fact):
    _, facts = edit_one(C4, line)
    told = {name: value for name, value in facts.items() if value and name != "sentences"}
    assert told == {fact: 1}


@pytest.mark.parametrize(
    ("line", "num_sentences"),
    [
        ("One two three. [1]", 1),  # one space at the end is no word of spaCy's
        ("One two three. [1] [2]", 2),
        ("One two three.\t[1]", 2),
        ("One two [1] [2]", 1),
        ("[1] [2] [3]", 1),
        ("[citation needed][citation needed]", 1),  # nothing is left, which is one sentence
        ("One two.[1] [2] ) three", 2),
    ],
)
def test_sentences_are_counted_with_white_space_that_citations_leave(line, num_sentences):
    assert edit_one(ANY_ENDING, line)[1]["sentences"] == num_sentences


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 200_000,
        "[" * 200_000,
        "[1" * 100_000,
        "[" + "1" * 200_000,
        "[citation needed" * 20_000,
        "[1]" * 70_000 + " a b.",
        "a b c. " * 30_000,
        "lorem ipsu" * 20_000,
        "uses cookie use of cookie " * 8_000 + ".",
        "One two three.\u2028" * 20_000,
        " [1] a [2] b [3] c.\t[4]\r" * 8_000,
        "\u0301" * 100_000,
    ],
)
@pytest.mark.parametrize("any_ending", [False, True])
def test_hostile_texts(text, any_ending):
    check_edit(pa.array([text]), [oracle(text, any_ending)], any_ending, Counter())
