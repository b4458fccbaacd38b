"""The guard against brute force on words: every train text with every held-out one."""

import json
import re
from itertools import chain

import pytest
from heldout_parts import Unread, documents_of, splits_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_part import MemoryPart

from data_contracts.errors import RecipeError
from pipelines.dedupe.guard_heldout import GUARDED, REASON, GuardConfig, guard_heldout
from pipelines.dedupe.index_heldout import index_heldout
from pipelines.split import SPLITS
from store.step import Inputs

PASSAGES = [[f"w{number}{place}" for place in range(12)] for number in range(2)]
PIECES = st.builds(
    lambda passage, start, length: passage[start : start + length],
    st.sampled_from(PASSAGES),
    st.integers(0, 4),
    st.integers(4, 12),
) | st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)
SPACES = st.sampled_from([" ", "  ", ", ", "\n", " — "])
TEXTS = st.builds(
    lambda pieces, space: space.join(chain(*pieces)).title(),
    st.lists(PIECES, max_size=3),
    SPACES,
)


def guard(scratch, heldout, train, config=None, parts=None):
    """Index and guard some texts; ids are as they are ordered: held-out ones h0, h1 …"""
    config = config or GuardConfig()
    sides = {f"t{n}": "train" for n in range(len(train))}
    sides |= {f"h{n}": "heldout" for n in range(len(heldout))}
    texts = dict(zip(sides, [*train, *heldout], strict=True))
    splits = MemoryPart("part", splits_of(sides))
    documents = MemoryPart("part", documents_of(texts))
    both = {"splits": [splits], "documents": [documents]}
    index = written(index_heldout(Inputs("all", both, scratch=scratch), config.index()))
    given_ = {**both, "index": [index], **(parts or {})}
    return guard_heldout(Inputs("part", given_, scratch=scratch), config)


def grams(text, num_words):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + num_words]) for at in range(len(words) - num_words + 1)}


def shares(one, other, config):
    """Return Jaccard of shingles and containment of n-grams of two texts."""
    a, b = grams(one, 5), grams(other, 5)
    jaccard = len(a & b) / len(a | b) if a and b else 0.0
    a, b = grams(one, config.ngram_words), grams(other, config.ngram_words)
    containment = len(a & b) / min(len(a), len(b)) if a and b else 0.0
    return jaccard, containment


def nearest(text, heldout, config):
    """Return number, Jaccard and containment of the nearest held-out text, or None."""
    best = None
    for number, other in enumerate(heldout):
        jaccard, containment = shares(text, other, config)
        near = [jaccard] * (jaccard >= config.min_jaccard)
        near += [containment] * (containment >= config.min_containment)
        if near and (best is None or max(near) > best[0]):
            best = max(near), number, jaccard, containment
    return best and best[1:]


CONFIGS = st.builds(
    GuardConfig,
    min_jaccard=st.sampled_from([0.2, 0.5, 0.9]),
    min_containment=st.sampled_from([0.3, 0.5, 1.0]),
    ngram_words=st.sampled_from([1, 3, 5, 6, 9]),
)


def test_train_loses_what_brute_force_finds_near(tmp_path):
    seen = {"near": 0, "far": 0, "by n-grams alone": 0}

    @settings(max_examples=60)
    @given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, min_size=1, max_size=5), CONFIGS)
    def check(heldout, train, config):
        rows = guard(tmp_path, heldout, train, config).rows
        assert rows.schema.equals(GUARDED)
        rows = rows.to_pylist()
        assert [row["doc_id"] for row in rows[len(train) :]] == [
            f"h{n}" for n in range(len(heldout))
        ]
        assert all(row["keep"] and row["split"] == "heldout" for row in rows[len(train) :])
        for row, text in zip(rows, train, strict=False):
            found = nearest(text, heldout, config)
            assert row["keep"] == (found is None)
            if found is None:
                assert row["split"] == "train"
                assert row["reason"] is row["values"] is row["partner_id"] is None
                seen["far"] += 1
                continue
            number, jaccard, containment = found
            assert (row["reason"], row["split"]) == (REASON, None)
            assert row["partner_id"] == f"h{number}"
            assert (row["jaccard"], row["containment"]) == (jaccard, containment)
            values = {"jaccard": jaccard, "containment": containment}
            assert json.loads(row["values"]) == values
            seen["near"] += 1
            seen["by n-grams alone"] += jaccard < config.min_jaccard

    check()
    assert min(seen.values()) > 2, seen


def words(first, last):
    return " ".join(f"word{number}" for number in range(first, last))


LONG, SHORT = words(0, 400), words(100, 130)


@pytest.mark.parametrize(("heldout", "train"), [(SHORT, LONG), (LONG, SHORT)])
def test_a_part_of_a_text_is_near_the_whole_either_way(tmp_path, heldout, train):
    row = guard(tmp_path, [heldout], [train]).rows.to_pylist()[0]
    assert row["reason"] == "split.near_heldout"
    assert row["containment"] == 1.0
    assert row["jaccard"] == 26 / 396
    assert row["values"] == f'{{"jaccard":{26 / 396!r},"containment":1.0}}'


def test_half_is_near_and_less_is_not(tmp_path):
    # Both have 40 n-grams of 13 words; with 32 words in common they share 20, with 31 words 19.
    heldout = words(0, 52)
    for common, is_near in ((32, True), (31, False)):
        train = f"{words(0, common)} {words(1000, 1052 - common)}"
        assert shares(train, heldout, GuardConfig())[0] < 0.5
        rows = guard(tmp_path, [heldout], [train]).rows
        assert rows["keep"].to_pylist() == [not is_near, True]


def test_texts_without_a_common_ngram_may_be_near_by_shingles(tmp_path):
    heldout = words(0, 130)
    train = " ".join(f"other{n}" if n % 13 == 12 else f"word{n}" for n in range(130))
    config = GuardConfig(min_jaccard=0.4)
    jaccard, containment = shares(train, heldout, config)
    assert containment == 0 < 0.4 < jaccard < 0.5
    row = guard(tmp_path, [heldout], [train], config).rows.to_pylist()[0]
    assert (row["keep"], row["jaccard"], row["containment"]) == (False, jaccard, 0.0)
    assert guard(tmp_path, [heldout], [train]).rows["keep"].to_pylist() == [True, True]


def test_a_quotation_shorter_than_an_ngram_leaks_nothing(tmp_path):
    train = f"{words(500, 600)} {words(0, 12)} {words(600, 700)}"
    assert guard(tmp_path, [words(0, 60)], [train]).rows["keep"].to_pylist() == [True, True]


def test_the_nearest_is_named_and_of_equal_ones_the_first(tmp_path):
    near, nearer = words(0, 60), words(0, 90)
    train = words(0, 100)
    config = GuardConfig(min_containment=1.0, ngram_words=100)
    rows = guard(tmp_path, [near, nearer, f"{nearer}!", LONG], [train], config)
    assert rows.rows.to_pylist()[0]["partner_id"] == "h3"  # its one n-gram stands in LONG
    rows = guard(tmp_path, [near, nearer, f"{nearer}!"], [train], config)
    assert rows.rows.to_pylist()[0]["partner_id"] == "h1"
    assert rows.facts == {"num_compared": 1, "num_near": 1, "num_partners": 1, "most_by_one": 1}


HOSTILE = ["", "\n" * 5000, "again " * 20_000, "中" * 5000, "é" + "\u0301" * 5000, "a b c d"]


def test_hostile_texts_are_near_only_what_has_their_shingles(tmp_path):
    output = guard(tmp_path, HOSTILE, [*HOSTILE, LONG])
    assert (
        output.rows["keep"].to_pylist() == [True, True, False, True, True, True, True] + [True] * 6
    )
    assert output.rows["partner_id"].to_pylist()[2] == "h2"


def test_invalid_bytes_are_compared_like_others(tmp_path):
    import pyarrow as pa

    raw = b" ".join(b"\xff\xf0%d" % number for number in range(40))
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, len(raw))))
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(raw)])
    documents = pa.table({"doc_id": ["t0", "h0"], "text": pa.concat_arrays([text, text])})
    both = {
        "splits": [MemoryPart("part", splits_of({"t0": "train", "h0": "heldout"}))],
        "documents": [MemoryPart("part", documents)],
    }
    index = written(index_heldout(Inputs("all", both, scratch=tmp_path), GuardConfig().index()))
    output = guard_heldout(
        Inputs("part", {**both, "index": [index]}, scratch=tmp_path), GuardConfig()
    )
    assert output.rows["keep"].to_pylist() == [False, True]


def test_a_notice_in_every_heldout_document_drops_nothing_of_its_own(tmp_path):
    notice = words(0, 100)
    heldout = [f"{notice} {words(1000 * n, 1000 * n + 150)}" for n in range(1, 200)]
    train = [f"{notice} {words(1000 * n, 1000 * n + 150)}" for n in range(200, 220)]
    output = guard(tmp_path, heldout, [*train, f"{notice} {words(7000, 7060)}"])
    rows = output.rows.to_pylist()[:21]
    assert [row["keep"] for row in rows] == [True] * 20 + [False]
    assert rows[20]["partner_id"] == "h6"


@pytest.mark.parametrize(
    ("heldout", "config"),
    [([], GuardConfig()), ([LONG], GuardConfig(enabled=False))],
)
def test_where_nothing_is_compared_no_text_is_read(tmp_path, heldout, config):
    unread = {"documents": [Unread("part", documents_of({}))]}
    output = guard(tmp_path, heldout, [LONG, SHORT], config, unread)
    assert output.rows.schema.equals(GUARDED)
    assert output.rows["split"].to_pylist() == ["train", "train"] + ["heldout"] * len(heldout)
    assert output.facts == {}


def test_rows_of_split_pass_as_they_are(tmp_path):
    output = guard(tmp_path, [LONG], [words(900, 1000), ""])
    sides = {"t0": "train", "t1": "train", "h0": "heldout"}
    assert output.rows.select(SPLITS.names).equals(splits_of(sides))


def test_an_index_of_other_ngrams_is_refused(tmp_path):
    made = guard(tmp_path, [LONG], [SHORT], GuardConfig(ngram_words=8))
    assert made.facts["num_near"] == 1
    other = written(
        index_heldout(
            Inputs(
                "all",
                {
                    "splits": [MemoryPart("part", splits_of({"h0": "heldout"}))],
                    "documents": [MemoryPart("part", documents_of({"h0": LONG}))],
                },
                scratch=tmp_path,
            ),
            GuardConfig(ngram_words=9).index(),
        )
    )
    with pytest.raises(RecipeError, match="n-grams of 9 words"):
        guard(tmp_path, [], [SHORT], parts={"index": [other]})


@pytest.mark.parametrize(
    "config",
    [
        {"min_jaccard": 0.0},
        {"min_jaccard": 1.01},
        {"min_containment": -1.0},
        {"min_containment": float("nan")},
        {"ngram_words": 0},
        {"ngram_words": 101},
    ],
)
def test_impossible_values_are_refused(config):
    with pytest.raises(RecipeError, match=f"guard.{next(iter(config))}"):
        GuardConfig(**config)
