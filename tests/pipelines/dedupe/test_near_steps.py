"""From documents to choices among near-duplicates, against sets and walks in plain Python."""

import itertools
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_part import MemoryPart
from near_steps import (
    bands_of,
    candidates_of,
    documents_of,
    near_run,
    pairs_of,
    parts_of,
    random_texts,
    signatures_of,
)

from data_contracts.documents import BANDS, CHOICES, DIFFERENCES, PAIRS
from data_contracts.errors import RecipeError
from pipelines.dedupe import compare_candidates as compare_module
from pipelines.dedupe import sign_bands as bands_module
from pipelines.dedupe.choose_kept import ChoiceConfig
from pipelines.dedupe.find_candidates import find_candidates
from pipelines.dedupe.near_config import NearConfig
from store.step import Inputs

NEAR = NearConfig(num_bands=20, num_rows=2, num_buckets=3)
JACCARD = ChoiceConfig(verify="jaccard", min_jaccard=0.6)


def normal(text):
    return " ".join(text.lower().split())


def shingle_set(text):
    words = normal(text).split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


def jaccard_of(one, other):
    left, right = shingle_set(one), shingle_set(other)
    return len(left & right) / len(left | right) if left | right else 0.0


def centres_of(texts):
    """Return the smallest id of each normalised text."""
    centres = {}
    for doc_id in sorted(texts):
        centres.setdefault(normal(texts[doc_id]), doc_id)
    return centres


def cut(texts, cuts, order):
    """Return the documents in another order, in partitions that begin where cuts say."""
    ids = list(texts)
    random.Random(order).shuffle(ids)
    table = documents_of({doc_id: texts[doc_id] for doc_id in ids})
    places = sorted({0, len(ids), *(min(cut, len(ids)) for cut in cuts)})
    return [table.slice(start, end - start) for start, end in itertools.pairwise(places)]


SEEDS, CUTS = st.integers(0, 10**6), st.lists(st.integers(0, 20), max_size=3)


@settings(max_examples=20)
@given(SEEDS)
def test_pairs_are_measured_as_sets_say(tmp_path_factory, seed):
    texts = random_texts(seed)
    output, _ = near_run([documents_of(texts)], tmp_path_factory.mktemp("run"), NEAR)
    assert output.rows.schema.equals(PAIRS)
    centres = set(centres_of(texts).values())
    pairs = output.rows.to_pylist()
    for pair in pairs:
        one, other = pair["left_id"], pair["right_id"]
        assert one < other
        assert {one, other} <= centres
        left, right = shingle_set(texts[one]), shingle_set(texts[other])
        assert pair["jaccard"] == len(left & right) / len(left | right)
        assert pair["containment"] == len(left & right) / min(len(left), len(right))
    found = {(pair["left_id"], pair["right_id"]) for pair in pairs}
    assert len(found) == len(pairs)
    # Odds of 1 - (1 - 0.9 ** 2) ** 20: one in 10 ** 14 would be missed.
    due = {
        (one, other)
        for one, other in itertools.combinations(sorted(centres), 2)
        if jaccard_of(texts[one], texts[other]) >= 0.9
    }
    assert due <= found


def test_pairs_are_found_at_all(tmp_path):
    """The property above touches what it is about."""
    runs = [
        near_run([documents_of(random_texts(seed))], tmp_path, NEAR, JACCARD) for seed in range(20)
    ]
    assert sum(len(output.rows) for output, _ in runs) > 20
    reasons = [reason for _, choices in runs for reason in choices["reason"].to_pylist()]
    assert reasons.count("duplicate.near") > 5
    assert len(set(reasons)) == 4


@settings(max_examples=20)
@given(SEEDS, CUTS, SEEDS)
def test_batches_and_order_change_nothing(tmp_path_factory, seed, cuts, order):
    texts, folder = random_texts(seed), tmp_path_factory.mktemp("run")
    output, choices = near_run([documents_of(texts)], folder / "whole", NEAR, JACCARD)
    assert choices.schema.equals(CHOICES)
    parts = cut(texts, cuts, order)
    again, chosen = near_run(parts, folder / "parts", NEAR, JACCARD)
    assert again.rows.equals(output.rows)

    def by_id(table):
        return sorted(table.drop_columns("part_key").to_pylist(), key=lambda row: row["doc_id"])

    assert by_id(chosen) == by_id(choices)

    previous = None
    for number in range(1, len(parts) + 1):  # night after night
        night = near_run(parts[:number], folder / f"{number}", NEAR, JACCARD, previous)
        if previous is not None:
            assert night[0].facts["pairs_measured_before"] <= previous.num_rows
        previous = MemoryPart("all", night[0].rows)
    assert night[0].rows.equals(output.rows)
    assert by_id(night[1]) == by_id(choices)
    assert night[0].facts["pairs_measured_before"] <= len(output.rows)


def test_a_batch_can_be_withdrawn(tmp_path):
    texts = random_texts(11, num_families=9)
    parts = cut(texts, [12], order=0)
    alone = near_run(parts[:1], tmp_path / "alone", NEAR, JACCARD)
    both = near_run(parts, tmp_path / "both", NEAR, JACCARD)
    assert len(both[0].rows) > len(alone[0].rows) > 0
    previous = MemoryPart("all", both[0].rows)
    withdrawn = near_run(parts[:1], tmp_path / "again", NEAR, JACCARD, previous)
    assert withdrawn[0].rows.equals(alone[0].rows)
    assert withdrawn[0].facts["pairs_measured_before"] > 0
    assert withdrawn[1].equals(alone[1])


@settings(max_examples=20)
@given(SEEDS, st.sets(st.integers(0, 25)))
def test_the_choice_is_the_walk_of_its_definition(tmp_path_factory, seed, unwanted):
    texts = random_texts(seed)
    kept_by_policy = {one for number, one in enumerate(texts) if number not in unwanted}
    output, choices = near_run(
        [documents_of(texts)], tmp_path_factory.mktemp("run"), NEAR, JACCARD, kept=kept_by_policy
    )
    rows = {row["doc_id"]: row for row in choices.to_pylist()}
    assert set(rows) == kept_by_policy
    measured = {
        frozenset((pair["left_id"], pair["right_id"])): pair["jaccard"]
        for pair in output.rows.to_pylist()
    }
    centres, stays = centres_of(texts), {}
    order = sorted(kept_by_policy, key=lambda one: (-len(texts[one]), one))
    for doc_id in order:
        centre, row = centres[normal(texts[doc_id])], rows[doc_id]
        likes = {
            other: measured.get(frozenset((centre, centres[normal(texts[other])])), 0.0)
            for other in stays
        }
        same = next((one for one in stays if normal(texts[one]) == normal(texts[doc_id])), None)
        near = [other for other, like in likes.items() if like >= JACCARD.min_jaccard]
        if same is not None:
            assert row["reason"].startswith("duplicate.exact_")
            assert (row["partner_id"], row["jaccard"]) == (same, 1.0)
        elif near:
            assert row["reason"] == "duplicate.near"
            assert row["partner_id"] in near
            assert row["jaccard"] == likes[row["partner_id"]] == max(likes.values())
        else:
            assert row["keep"]
            stays[doc_id] = row
    assert {one for one, row in rows.items() if row["keep"]} == set(stays)


def test_no_chain_removes_what_is_like_nothing_that_stays(tmp_path):
    words = [f"w{number}" for number in range(60)]
    chain = [" ".join(words[at : at + 40]) for at in (10, 18, 2)]
    texts = dict(zip("abc", chain, strict=True))
    assert jaccard_of(chain[0], chain[1]) > 0.6 < jaccard_of(chain[0], chain[2])
    assert jaccard_of(chain[1], chain[2]) < 0.5
    _, choices = near_run([documents_of(texts)], tmp_path, NEAR, JACCARD)
    rows = {row["doc_id"]: (row["keep"], row["partner_id"]) for row in choices.to_pylist()}
    assert rows == {"a": (True, None), "b": (False, "a"), "c": (False, "a")}
    longer = {**texts, "b": f"{chain[1]} more"}  # and so the first to be kept
    _, choices = near_run([documents_of(longer)], tmp_path, NEAR, JACCARD)
    rows = {row["doc_id"]: (row["keep"], row["partner_id"]) for row in choices.to_pylist()}
    assert rows == {"a": (False, "b"), "b": (True, None), "c": (True, None)}


def test_short_documents_are_compared_as_a_whole_only(tmp_path):
    texts = {"a": "one two three", "b": "one two four", "c": "One, two three", "d": "", "e": " "}
    output, choices = near_run([documents_of(texts)], tmp_path, NEAR, JACCARD)
    assert len(output.rows) == 0
    rows = {row["doc_id"]: row["reason"] for row in choices.to_pylist()}
    assert rows["b"] is None
    assert sorted(map(str, (rows["a"], rows["c"]))) == ["None", "duplicate.exact_normalised"]
    assert rows["d"] is rows["e"] is None  # neither says anything, in different ways


def test_a_key_of_many_texts_costs_a_stated_bound_and_the_others_are_listed(tmp_path):
    near = NearConfig(num_bands=20, num_rows=2, num_buckets=1, max_band_texts=5)
    shared = " ".join(f"w{number}" for number in range(200))
    texts = {f"{number:03d}": f"{shared} end{number}" for number in range(30)}
    documents = parts_of([documents_of(texts)])
    signatures = signatures_of(documents)
    bands = bands_of(documents, signatures, near)
    inputs = Inputs("b", {"bands": bands}, bucket=0, scratch=tmp_path)
    output = find_candidates(inputs, near.candidates())
    num_keys = len(bands[0].rows["band_key"].unique())
    assert 0 < len(output.rows) <= num_keys * 5 * 4 // 2
    assert output.facts["near.bucket_capped"] >= 25
    lines = (tmp_path / "capped.csv").read_text().splitlines()
    assert lines[0] == '"text_key","band_key","num_texts"'
    assert len({line.split(",")[0] for line in lines[1:]}) == output.facts["near.bucket_capped"]
    output, choices = near_run([documents_of(texts)], tmp_path / "run", near, JACCARD)
    assert len(choices) == 30
    assert 25 <= sum(choices["keep"].to_pylist()) < 30


def test_texts_made_to_share_a_key_are_all_compared(tmp_path, monkeypatch):
    """Were all names of texts equal, every text would still be measured with every other."""
    texts = random_texts(5, num_families=3)
    expected, _ = near_run([documents_of(texts)], tmp_path / "a", NEAR, JACCARD)
    for module in (bands_module, compare_module):
        real = module.text_keys
        monkeypatch.setattr(module, "text_keys", lambda hashes, real=real: real(hashes) % 2)
    output, choices = near_run([documents_of(texts)], tmp_path / "b", NEAR, JACCARD)
    assert len(choices) == len(texts)
    found = {(row["left_id"], row["right_id"]): row for row in output.rows.to_pylist()}
    for row in expected.rows.to_pylist():
        assert found[row["left_id"], row["right_id"]] == row
    assert len(found) > len(expected.rows) > 0


def test_none_reads_no_text(tmp_path):
    documents = parts_of([documents_of(random_texts(1)).drop_columns("text")])
    near = NearConfig(preset="none", num_buckets=3)
    signatures = signatures_of(parts_of([documents_of(random_texts(1))]))
    bands = bands_of(documents, signatures, near)
    assert bands[0].rows.equals(BANDS.empty_table())
    candidates = candidates_of(bands, near, tmp_path)
    assert len(pairs_of(candidates, signatures, documents, tmp_path).rows) == 0


@pytest.mark.parametrize("preset", ["high-recall", "text-dedup", "minhash@datatrove-0.10"])
def test_every_preset_finds_what_is_nearly_equal(tmp_path, preset):
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = " ".join(a + b for a in letters for b in letters)
    texts = {"a": words, "b": f"{words} more", "c": "x " * 50}
    output, _ = near_run([documents_of(texts)], tmp_path, NearConfig(preset=preset))
    assert [(row["left_id"], row["right_id"]) for row in output.rows.to_pylist()] == [("a", "b")]


def test_an_empty_home_has_no_pairs(tmp_path):
    output, choices = near_run([documents_of({})], tmp_path, NEAR)
    assert len(output.rows) == len(choices) == 0
    assert isinstance(output.rows, pa.Table)


REPORT = """
The council met on Tuesday evening to hear what the engineers had found under the old bridge, and
for more than two hours nobody in the crowded room asked a question that was not about the cracks
in the eastern pillar. Repairs would take until the spring, the chief engineer Helen Moran said, and
would cost {number} thousand pounds, of which the county has promised to pay a third. Until then
lorries must go round by the northern road, which residents there have complained of for years.
A vote is due next week, when the mayor {name} returns; most of those who spoke want the bridge
kept as it is, and only a few would rather see it replaced by a wider one of steel and concrete.
"""


def test_strict_keeps_apart_what_differs_in_a_number_or_a_name(tmp_path):
    texts = {
        "a": REPORT.format(number=140, name="Owen Price"),
        "number": REPORT.format(number=210, name="Owen Price"),
        "name": REPORT.format(number=140, name="Martha Quill"),
        "set": " ".join(REPORT.format(number=140, name="Owen Price").split()).replace(",", " ,"),
        "typed": REPORT.format(number=140, name="Owen Price").replace("engineers", "enginers"),
    }
    expected = {
        "strict": {"a": True, "number": True, "name": True, "set": False, "typed": False},
        "jaccard": {"a": False, "number": True, "name": False, "set": False, "typed": False},
    }
    for verify, keeps in expected.items():
        config = ChoiceConfig(verify=verify, min_jaccard=0.7)
        near = NearConfig(num_bands=30, num_rows=3)
        output, choices = near_run([documents_of(texts)], tmp_path / verify, near, config)
        kept = {row["doc_id"]: row["keep"] for row in choices.to_pylist()}
        assert sum(kept.values()) == sum(keeps.values()), (verify, kept)
        if verify == "strict":
            assert (kept["number"], kept["name"]) == (True, True)
        assert PAIRS.names == output.rows.schema.names


def test_columns_of_pairs_are_what_the_kernel_tells():
    from pipelines.kernels.differences import PairFacts

    assert PairFacts._fields == DIFFERENCES


def test_what_texts_differ_in_is_told_of_every_pair(tmp_path):
    output, _ = near_run([documents_of(random_texts(9, num_families=8))], tmp_path, NEAR)
    rows = output.rows.to_pylist()
    assert {row["jaccard"] >= 0.5 for row in rows} == {True, False}
    assert all(row[name] is not None for row in rows for name in DIFFERENCES)


MENU = "Home\nNews\nSport\nWeather\nSign in\nSearch\nShare this page\nPrint\n"
MORE = "\n\nThe old ferry is to run again, too, if anybody can be found who knows the channel."


def test_the_text_that_holds_more_is_never_the_one_that_goes(tmp_path):
    """Whatever is preferred: the shorter text is in the longer one, but not the other way round."""
    story = REPORT.format(number=140, name="Owen Price").strip()
    texts = {"story": story, "more": story + MORE, "framed": MENU + story}
    near = NearConfig(num_bands=30, num_rows=3)
    for number, prefer in enumerate(("num_chars desc", "num_chars asc")):
        config = ChoiceConfig(prefer=(prefer,))
        _, choices = near_run([documents_of(texts)], tmp_path / str(number), near, config)
        kept = {row["doc_id"] for row in choices.to_pylist() if row["keep"]}
        assert kept == ({"more"} if number == 0 else {"story", "more"})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"verify": "jaccard", "min_jaccard": 0.0}, "min_jaccard is 0.0"),
        ({"verify": "both"}, "verify is 'both'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(settings, told):
    with pytest.raises(RecipeError, match=told):
        ChoiceConfig(**settings)
