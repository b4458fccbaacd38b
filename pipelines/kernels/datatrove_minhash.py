"""Kernel: signatures ``minhash@datatrove-0.10``, those of datatrove's ``MinhashDedupSignature``.

Texts are simplified (`pipelines.kernels.simplify`) and divided into spaCy's words; the hashes of
runs of five, joined by spaces, go through 112 permutations ``(a * x + b) % (2**61 - 1)``, in which
the sum wraps at ``2**64`` first, as datatrove's does. FineWeb was made with SHA-1 and 64 bits.
A text of fewer than five words has no signature, and datatrove never takes it for a duplicate.
"""

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.joined_words import join_words
from pipelines.kernels.sha1 import sha1_64, sha1_scratch
from pipelines.kernels.shingles import NUM_WORDS, Shingles, mixed
from pipelines.kernels.simplify import simplify_texts
from pipelines.kernels.spacy_words import spacy_words
from pipelines.kernels.word_grams import SEQUENCE_FACTOR
from pipelines.kernels.xxhash import xxh32, xxh64

TABLE_PATH = Path(__file__).with_name("datatrove_permutations.npz")
NUM_BANDS, NUM_ROWS = 14, 8
DatatroveHash = Literal["xxhash64", "xxhash32", "sha1-64", "sha1-32"]
_HASHES: tuple[DatatroveHash, ...] = ("xxhash64", "xxhash32", "sha1-64", "sha1-32")
_PRIME, _PRIME_BITS = np.uint64(2**61 - 1), np.uint64(61)
_HALF, _WHOLE = np.uint64(2**32 - 1), np.uint64(2**64 - 1)


class Permutations(NamedTuple):
    """The factors and terms of the permutations, uint64 of length ``NUM_BANDS * NUM_ROWS``."""

    factors: np.ndarray
    terms: np.ndarray


@cache
def load_permutations() -> Permutations:
    """Read the package's table once (`tools.build_datatrove_permutations`)."""
    with np.load(TABLE_PATH) as stored:
        return Permutations(stored["factors"], stored["terms"])


def datatrove_shingles(texts: Codes, hash_name: DatatroveHash = "xxhash64") -> Shingles:
    """Return the hashes of the runs of five words, in the order of each text.

    Those of 32 bits are below ``2**32``. SHA-1 gives the first bytes of its digest, least first.
    """
    simple = simplify_texts(texts)
    words = join_words(simple, spacy_words(simple))
    counts = np.maximum(np.diff(words.offsets) - (NUM_WORDS - 1), 0)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    hashes = np.empty(offsets[-1], dtype=np.uint64)
    _hash_all(*words, _HASHES.index(hash_name), offsets, hashes)
    return Shingles(offsets, hashes)


def datatrove_signatures(shingles: Shingles, hash_name: DatatroveHash = "xxhash64") -> np.ndarray:
    """Return the signature of each text, uint64 of shape ``(n, NUM_BANDS, NUM_ROWS)``.

    ``hash_name`` is that of the shingles: of 32 bits are the values too. For a text without a
    shingle they mean nothing (`pipelines.kernels.minhash.has_signature`).
    """
    kept_bits = _HALF if hash_name.endswith("32") else _WHOLE
    signatures = np.empty((shingles.num_texts, NUM_BANDS * NUM_ROWS), dtype=np.uint64)
    _find_least(*shingles, *load_permutations(), kept_bits, signatures)
    return signatures.reshape(-1, NUM_BANDS, NUM_ROWS)


def datatrove_band_keys(shingles: Shingles, hash_name: DatatroveHash = "xxhash64") -> np.ndarray:
    """Return the key of each text's bands, uint64 of shape ``(n, NUM_BANDS)``.

    Keys of one band are equal if its part of the signatures is, which makes two texts candidates in
    datatrove; keys of different bands do not meet. For a text without a shingle they mean nothing.
    """
    signatures = datatrove_signatures(shingles, hash_name)
    keys = np.empty(signatures.shape[:2], dtype=np.uint64)
    _join_rows(signatures, keys)
    return keys


@compiled
def _join_rows(signatures: np.ndarray, keys: np.ndarray) -> None:
    for text in range(keys.shape[0]):
        for band in range(keys.shape[1]):
            key = mixed(np.uint64(band + 1))
            for row in range(signatures.shape[2]):
                key = mixed(key * SEQUENCE_FACTOR + signatures[text, band, row])
            keys[text, band] = key


@compiled
def _hash_all(
    word_offsets: np.ndarray,
    starts: np.ndarray,
    data: np.ndarray,
    number: int,
    offsets: np.ndarray,
    hashes: np.ndarray,
) -> None:
    state, schedule = sha1_scratch()
    for row in range(offsets.size - 1):
        for at in range(offsets[row], offsets[row + 1]):
            word = word_offsets[row] + at - offsets[row]
            start, end = starts[word], starts[word + NUM_WORDS] - 1
            if number == 0:
                hashes[at] = xxh64(data, start, end)
            elif number == 1:
                hashes[at] = xxh32(data, start, end)
            else:
                value = sha1_64(data, start, end, state, schedule)
                hashes[at] = value if number == 2 else value & _HALF


@compiled
def _find_least(
    offsets: np.ndarray,
    hashes: np.ndarray,
    factors: np.ndarray,
    terms: np.ndarray,
    kept_bits: np.uint64,
    signatures: np.ndarray,
) -> None:
    signatures[:] = kept_bits
    for row in range(offsets.size - 1):
        for at in range(offsets[row], offsets[row + 1]):
            value = hashes[at]
            for number in range(factors.size):
                image = value * factors[number] + terms[number]
                image = (image & _PRIME) + (image >> _PRIME_BITS)
                image -= _PRIME * np.uint64(image >= _PRIME)
                signatures[row, number] = min(signatures[row, number], image & kept_bits)
