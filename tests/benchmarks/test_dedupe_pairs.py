import numpy as np
import pyarrow as pa
import pytest

from benchmarks import dedupe_pairs as pairs
from pipelines.dedupe.normalise import normalise
from pipelines.kernels.minhash import FINEWEB, HIGH_RECALL


def texts(num_texts, seed=3):
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{n}" for n in rng.integers(0, 5000, 200)) for _ in range(num_texts)]


def test_runs_are_of_the_normalised_form():
    text = "“Öl, ÖL!” a\u00ad b—c\u200b Straße d, e"
    words = normalise(pa.array([text]))[0].split(" ")
    assert words == ["öl", "öl", "a", "b", "c", "straße", "d", "e"]
    assert pairs.runs_of(text) == {tuple(words[i : i + 5]) for i in range(4)}
    assert pairs.runs_of("only four words here") == set()


def test_similarity_is_the_share_of_common_runs():
    assert pairs.jaccard_of("a b c d e f", "A, b c d e g") == pytest.approx(1 / 3)
    assert pairs.jaccard_of("a b", "a b") == 0


def test_bins_hold_their_lower_edges():
    edges = [pairs.bin_of(value) for value in (0.49, 0.5, 0.549, 0.55, 0.6, 0.95, 1.0)]
    assert edges == [None, 0, 0, 1, 2, 9, None]


@pytest.fixture(scope="module")
def planted():
    return pairs.plant(texts(400), texts(5, seed=4), 20, np.random.default_rng(1))


def test_every_bin_is_filled_by_every_way_of_editing(planted):
    counts = {}
    for pair in planted:
        key = pair.kind, pairs.bin_of(pair.jaccard)
        counts[key] = counts.get(key, 0) + 1
    assert counts == {(kind, place): 5 for kind in pairs.EDITS for place in range(10)}
    assert all(pair.left != pair.right for pair in planted)


def test_planting_is_a_function_of_the_seed(planted):
    again = pairs.plant(texts(400), texts(5, seed=4), 20, np.random.default_rng(1))
    other = pairs.plant(texts(400), texts(5, seed=4), 20, np.random.default_rng(2))
    assert again == planted
    assert other != planted


def test_edits_do_what_they_say():
    rng = np.random.default_rng(5)
    words, other = texts(1)[0].split(), texts(1, seed=9)[0].split() * 10
    assert pairs.append(words, other, 0.8, rng) == words + other[:50]
    quoted = pairs.quote(words, other, 0.8, rng)
    assert len(quoted) == 250
    assert any(quoted[at : at + 200] == words for at in range(51))
    for edit in (pairs.edit_words, pairs.edit_blocks):
        edited = edit(words, other, 0.8, rng)
        assert edited != words
        assert pairs.jaccard_of(" ".join(words), " ".join(edited)) == pytest.approx(0.8, abs=0.1)


def test_kernels_measure_what_sets_do_and_equal_texts_are_found(planted):
    same = [pairs.Planted("same", pair.left, pair.left, 1.0) for pair in planted[:3]]
    measured = pairs.measure([*planted, *same], [FINEWEB, HIGH_RECALL])
    assert (measured.jaccard == measured.by_kernel).all()
    assert measured.found[FINEWEB][-3:].all()
    assert not measured.found[FINEWEB].all()


def test_recall_is_held_against_the_odds():
    found = {FINEWEB: np.array([True, False, True, True])}
    measured = pairs.Measured(np.array([0.8, 0.5, 0.8, 0.2]), np.zeros(4), found)
    recall = pairs.recall_of(measured, FINEWEB, np.array([True, True, True, False]))
    odds = [1 - (1 - 0.8**8) ** 14, 1 - (1 - 0.5**8) ** 14]
    assert recall.recall == pytest.approx(2 / 3)
    assert recall.expected == pytest.approx((2 * odds[0] + odds[1]) / 3)
    variance = 2 * odds[0] * (1 - odds[0]) + odds[1] * (1 - odds[1])
    assert recall.standard_error == pytest.approx(variance**0.5 / 3)
