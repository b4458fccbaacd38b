import hashlib

import numpy as np
import pyarrow as pa
import pytest

from pipelines.kernels.datatrove_minhash import (
    TABLE_PATH,
    datatrove_shingles,
    datatrove_signatures,
    load_permutations,
)
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.minhash import has_signature
from tools import build_datatrove_permutations

FOX = "the quick brown fox jumps over the lazy dog again and again"
FIRST_BUCKET = {
    "sha1-64": [
        459439794338764857, 284080765670708113, 594234408324153881, 226360113463360020,
        42312182183823545, 295150809832830541, 316606424307206655, 372924740741850561,
    ],
    "sha1-32": [
        155031605, 46085595, 51550825, 807274274, 1570412064, 121714251, 253777155, 104736222,
    ],
}  # fmt: skip
PRIME = 2**61 - 1


def signatures_of(texts, name):
    shingles = datatrove_shingles(text_batch(pa.array(texts, pa.string())).codes, name)
    return shingles, datatrove_signatures(shingles, name)


def in_python(text, num_bits):
    words = text.lower().split()
    joined = [" ".join(words[at : at + 5]) for at in range(len(words) - 4)]
    digests = [hashlib.sha1(one.encode()).digest()[: num_bits // 8] for one in joined]
    hashes = [int.from_bytes(digest, "little") for digest in digests]
    factors, terms = (values.tolist() for values in load_permutations())
    signature = [
        min(((value * a + b) % 2**64 % PRIME) & (2**num_bits - 1) for value in hashes)
        for a, b in zip(factors, terms, strict=True)
    ]
    return hashes, signature


@pytest.mark.parametrize("name", ["sha1-64", "sha1-32"])
def test_signature_of_one_sentence(name):
    shingles, signatures = signatures_of([FOX], name)
    assert signatures.shape == (1, 14, 8)
    assert signatures[0, 0].tolist() == FIRST_BUCKET[name]
    hashes, signature = in_python(FOX, int(name[-2:]))
    assert shingles.hashes.tolist() == hashes
    assert signatures.ravel().tolist() == signature


def test_hash_of_the_first_words():
    shingles, _ = signatures_of([FOX], "sha1-64")
    assert shingles.hashes.size == 8
    assert shingles.hashes[0] == 12313522834835307089


def test_permutations_are_those_that_datatrove_draws(tmp_path):
    factors, terms = load_permutations()
    assert factors[:3].tolist() == [775169054918279404, 1758426461858698313, 2109959069025162]
    assert terms[:3].tolist() == [1062448801025099917, 1324811268927594100, 1217488311597731462]
    build_datatrove_permutations.build(tmp_path / "built.npz")
    with np.load(tmp_path / "built.npz") as built, np.load(TABLE_PATH) as kept:
        assert all(np.array_equal(built[name], kept[name]) for name in ("factors", "terms"))


@pytest.mark.parametrize("name", ["xxhash64", "xxhash32", "sha1-64", "sha1-32"])
def test_what_simplifying_leaves_out_does_not_count(name):
    texts = [FOX, FOX.upper().replace(" ", ",\n"), FOX.replace("q", "q\u0301"), FOX + " x"]
    _, signatures = signatures_of(texts, name)
    assert np.array_equal(signatures[0], signatures[1])
    assert np.array_equal(signatures[0], signatures[2])
    assert not np.array_equal(signatures[0], signatures[3])


@pytest.mark.parametrize("text", ["", "one two three four", "?! ... --", "\n" * 100_000, "́" * 9])
def test_texts_of_fewer_than_five_words_have_none(text):
    shingles, signatures = signatures_of([text, FOX], "sha1-64")
    assert has_signature(shingles).tolist() == [False, True]
    assert signatures[1, 0].tolist() == FIRST_BUCKET["sha1-64"]


def test_hostile_texts():
    shingles, _ = signatures_of(["word " * 100_000, "x" * 1_000_000, "中" * 10_000], "xxhash64")
    assert len(set(shingles.hashes.tolist())) == 1
    assert has_signature(shingles).tolist() == [True, False, False]
