import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.hashing import HASH_START, count_repeats, hash_codes, hash_step

SEEDS = [np.uint64(seed) for seed in (1, 0x9E3779B97F4A7C15, 2**64 - 1)]


def test_hash_is_fnv_1a():  # vectors from the authors' test suite, as in RFC 9923
    assert hash_codes(b"") == 0xCBF29CE484222325
    assert hash_codes(b"a") == 0xAF63DC4C8601EC8C
    assert hash_codes(b"foobar") == 0x85944171F73967E8


@given(st.lists(st.integers(0, 0x10FFFF), max_size=20))
def test_python_and_kernel_hash_alike(codes):
    value = HASH_START
    for code in codes:
        value = np.uint64(hash_step(value, code))
    assert value == hash_codes(codes)


@given(st.lists(st.integers(2**63 - 3, 2**63 + 3) | st.integers(1, 2**64 - 1), max_size=80))
def test_repeats_are_those_of_a_set_whatever_the_layout(values):
    hashes = np.array(values, dtype=np.uint64)
    for seed in SEEDS:
        assert count_repeats(hashes, seed) == len(values) - len(set(values))


@pytest.mark.parametrize("shift", [0, 20, 40])
def test_many_hashes_that_look_alike_are_counted(shift):
    values = np.arange(1, 100_001, dtype=np.uint64) << np.uint64(shift)
    assert count_repeats(np.concatenate((values, values[:7])), SEEDS[1]) == 7
