import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.buffers import text_buffers
from pipelines.kernels.shingles import mixed
from pipelines.kernels.winnowing import power, sample_windows
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

PIECES = st.tuples(st.sampled_from(["a", "b", "ab", "aab", "é"]), st.sampled_from([1, 2, 30]))
TEXTS = st.lists(st.lists(PIECES, max_size=6).map(lambda drawn: "".join(p * n for p, n in drawn)))
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9)).map(sorted)


def samples_of(texts, size, gram_size, padded=False):
    array = pa.array(["ab" * 20, *texts, "x"] if padded else texts, pa.string())
    buffers = text_buffers(array.slice(1, len(texts)) if padded else array)
    return sample_windows(buffers, size, gram_size)


def gram_hash(gram):
    """Return the hash of a gram as its polynomial says."""
    value = 0
    for byte in gram:
        value = (value * int(SEQUENCE_FACTOR) + byte + 1) % 2**64
    return int(mixed(np.uint64(value)))


def anchors_of(data, size, gram_size):
    """Return the anchor of each window."""
    grams = [gram_hash(data[at : at + gram_size]) for at in range(len(data) - gram_size + 1)]
    windows = range(len(data) - size + 1)
    return [
        min(range(at, at + size - gram_size + 1), key=lambda gram: (grams[gram], gram))
        for at in windows
    ], grams


def test_every_window_is_sampled_by_its_anchor_or_is_a_copy():
    num_anchored = num_copies = 0

    @given(TEXTS, SIZES, st.booleans())
    def check(texts, sizes, padded):
        nonlocal num_anchored, num_copies
        gram_size, size = sizes
        samples = samples_of(texts, size, gram_size, padded)
        assert {column.dtype.name for column in samples} == {"int64", "uint64"}
        assert samples.offsets.size == len(texts) + 1
        columns = [column.tolist() for column in samples[1:]]
        for row, text in enumerate(texts):
            data, at = text.encode(), 0
            anchors, grams = anchors_of(data, size, gram_size)
            for sample in range(samples.offsets[row], samples.offsets[row + 1]):
                value, anchor, first, last, distance = (column[sample] for column in columns)
                assert first == at <= last
                at = last + 1
                for start in range(first, last + 1):
                    if distance == 0:
                        assert (anchor, value) == (anchors[start], grams[anchor])
                        num_anchored += 1
                    else:
                        before = start - distance
                        assert distance >= size
                        assert before >= 0
                        assert data[before : before + size] == data[start : start + size]
                        num_copies += 1
            assert at == max(len(data) - size + 1, 0)

    check()
    assert min(num_anchored, num_copies) > 500


def test_example():
    text = "one two three four five six"
    samples = samples_of([text, "short", f"{text}, {text}"], 12, 4)
    assert samples.offsets[1] == samples.offsets[2] > 1
    pairs = list(zip(samples.anchors.tolist(), samples.hashes.tolist(), strict=True))
    once, both = pairs[: samples.offsets[1]], pairs[samples.offsets[2] :]
    assert set(once) < set(both)
    assert {(anchor + len(f"{text}, "), value) for anchor, value in once} < set(both)


def test_random_text_has_few_samples():
    text = bytes(np.random.default_rng(1).integers(32, 127, 200_000, dtype=np.uint8)).decode()
    samples = samples_of([text], 200, 50)
    assert len(text) / samples.anchors.size == pytest.approx((200 - 50 + 2) / 2, rel=0.03)


@pytest.mark.parametrize("unit", ["a", "ab", "word ", "中", "0123456789" * 9, "\n"])
def test_periodic_text_has_few_samples_however_long(unit):
    counts = [
        samples_of([unit * (n // len(unit))], 200, 50).anchors.size for n in (10_000, 500_000)
    ]
    assert counts[0] == counts[1] <= 402
    samples = samples_of([unit * (10_000 // len(unit))], 200, 50)
    assert np.sum(samples.distances > 0) == 1
    assert np.sum((samples.lasts - samples.firsts + 1)[samples.distances > 0]) > 9_000


def test_more_samples_than_there_is_room_for_at_first():
    texts = ["a" * 240 + "b" * 240] * 50
    samples = samples_of(texts, 200, 10)
    assert samples.anchors.size > 4 * sum(map(len, texts)) / 192 + 64
    one = samples_of(texts[:1], 200, 10)
    assert samples.hashes.tolist() == one.hashes.tolist() * 50


@pytest.mark.parametrize("exponent", [0, 1, 5, 1000])
def test_power_is_that_of_integers(exponent):
    assert int(power(np.uint64(7), exponent)) == pow(7, exponent, 2**64)
