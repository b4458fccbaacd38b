import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import UsageError
from pipelines.kernels.minhash import (
    FINEWEB,
    HIGH_RECALL,
    MAX_PERMUTATIONS,
    Banding,
    band_keys,
    has_signature,
    min_hashes,
)
from pipelines.kernels.shingles import Shingles, mixed, word_shingles

ALL_BITS = 2**64 - 1
SMALL = Banding(3, 2, seed=5)
HASHES = st.integers(0, 3) | st.integers(0, ALL_BITS)
TEXTS = st.lists(st.lists(HASHES, max_size=8), max_size=5)
EMPTY = 2**32 - 1


def flat(texts):
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Shingles(offsets, np.array([h for one in texts for h in one], dtype=np.uint64))


def mix(key):
    return int(mixed(np.uint64(key & ALL_BITS)))


def drawn(seed, count):
    return [mix(seed + 0x9E3779B97F4A7C15 * number) for number in range(1, count + 1)]


def signature_in_python(hashes, banding):
    return [
        min([((number >> 32 | 1) * (x >> 32) + number) % 2**32 for x in hashes], default=EMPTY)
        for number in drawn(banding.seed, banding.num_bands * banding.num_rows)
    ]


def keys_in_python(signature, banding):
    keys = drawn(banding.seed ^ banding.num_rows << 32, banding.num_bands)
    for place, value in enumerate(signature):
        band = place // banding.num_rows
        keys[band] = mix(keys[band] * 0x9E3779B97F4A7C15 + value)
    return keys


@given(TEXTS)
def test_signatures_and_keys_are_those_of_the_definition(texts):
    shingles = flat(texts)
    expected = [signature_in_python(one, SMALL) for one in texts]
    assert min_hashes(shingles, SMALL).tolist() == expected
    assert band_keys(shingles, SMALL).tolist() == [keys_in_python(s, SMALL) for s in expected]
    assert has_signature(shingles).tolist() == [bool(one) for one in texts]


def test_signatures_are_of_sets_and_of_every_block():
    hashes = np.random.default_rng(1).integers(0, ALL_BITS, 10_000, dtype=np.uint64).tolist()
    signatures = min_hashes(flat([hashes, sorted(hashes) * 2, hashes[:9_999], [7]]), FINEWEB)
    assert signatures.dtype == np.uint32
    assert signatures.shape == (4, 112)
    assert signatures[0].tolist() == signature_in_python(hashes, FINEWEB)
    assert np.array_equal(signatures[0], signatures[1])


def test_keys_differ_by_band_seed_and_shape():
    shingles = flat([[1, 2, 3]])
    bandings = [FINEWEB, HIGH_RECALL, Banding(14, 8, seed=2), Banding(14, 4)]
    keys = [key for banding in bandings for key in band_keys(shingles, banding)[0].tolist()]
    assert len(set(keys)) == sum(banding.num_bands for banding in bandings)


def planted(num_pairs, num_common, num_own):
    """Return texts 0 and 1, 2 and 3, … that have so many shingles in common, and of their own."""
    size = num_common + num_own
    first = np.arange(num_pairs)[:, None] * (num_common + 2 * num_own) + num_common * 10**9
    left = first + np.arange(size)
    right = first + np.r_[:num_common, size : size + num_own]
    words = np.stack((left, right), axis=1).reshape(-1).astype(np.uint64)
    return word_shingles(np.arange(2 * num_pairs + 1) * size, words, 1)


@pytest.mark.parametrize("banding", [FINEWEB, HIGH_RECALL, Banding(26, 11), Banding(14, 8, seed=9)])
@pytest.mark.parametrize(
    ("num_common", "num_own", "num_pairs"),
    [(7, 1, 20_000), (30, 10, 10_000), (70, 15, 8_000), (160, 20, 4_000), (9_000, 1_500, 150)],
)
def test_odds_of_a_shared_key_are_those_of_the_formula(num_common, num_own, num_pairs, banding):
    shingles = planted(num_pairs, num_common, num_own)
    odds = banding.candidate_odds(num_common / (num_common + 2 * num_own))
    keys = band_keys(shingles, banding)
    share = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    assert 0.01 < odds < 0.9999
    assert abs(share - odds) <= 3 * np.sqrt(odds * (1 - odds) / num_pairs)


def test_values_agree_like_independent_tosses():
    num_pairs, similarity = 10_000, 70 / 100
    signatures = min_hashes(planted(num_pairs, 70, 15), FINEWEB)
    agreeing = (signatures[0::2] == signatures[1::2]).sum(axis=1)
    variance = 112 * similarity * (1 - similarity)
    assert abs(agreeing.mean() - 112 * similarity) <= 3 * np.sqrt(variance / num_pairs)
    assert abs(agreeing.var() / variance - 1) <= 3 * np.sqrt(2 / num_pairs)


def test_unlike_texts_share_no_key():
    keys = band_keys(planted(5_000, 0, 100), HIGH_RECALL)
    assert len(np.unique(keys)) == keys.size


@pytest.mark.parametrize(
    ("jaccard", "odds"), [(0.7, 0.56), (0.75, 0.77), (0.8, 0.92), (0.85, 0.99), (0, 0), (1, 1)]
)
def test_odds_of_fineweb(jaccard, odds):
    assert abs(FINEWEB.candidate_odds(jaccard) - odds) < 0.01


@pytest.mark.parametrize(
    "arguments", [(0, 8), (8, 0), (MAX_PERMUTATIONS, 2), (1, 1, -1), (1, 1, 2**64)]
)
def test_bandings_that_cannot_be(arguments):
    with pytest.raises(UsageError):
        Banding(*arguments)


def test_keys_do_not_change_between_versions():
    hashes = [1 << 32, 2 << 32, 3 << 32]
    banding = Banding(2, 2)
    assert min_hashes(flat([hashes]), banding).tolist() == [
        [437029550, 612006408, 3840753195, 1132944574]
    ]
    assert band_keys(flat([hashes]), banding).tolist() == [
        [11686344171135982125, 5426995555979983535]
    ]
