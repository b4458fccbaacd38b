import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_part import inputs_of

from data_contracts.documents import CHOICES, SIGNATURES, SPLITS, hash_text
from data_contracts.errors import RecipeError
from pipelines.split import SplitConfig, split


def tables(normals, kept):
    ids = [f"{(i * 7919) % 10007:05d}" for i in range(len(normals))]
    signatures = [
        {"bucket": 0, "doc_id": i, "text_hash": "t", "normal_hash": hash_text(str(n))}
        for i, n in sorted(zip(ids, normals, strict=True))
    ]
    choices = [{"part_key": "part", "doc_id": i, "keep": k} for i, k in zip(ids, kept, strict=True)]
    return ids, {
        "signatures": pa.Table.from_pylist(signatures, schema=SIGNATURES),
        "choices": pa.Table.from_pylist(choices, schema=CHOICES),
    }


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30),
    st.floats(0, 0.999),
    st.integers(0, 2**32 - 1),
)
def test_equal_texts_are_on_one_side_and_the_draw_is_the_documented_one(drawn, ratio, seed):
    normals, kept = [n for n, _ in drawn], [k for _, k in drawn]
    ids, given_ = tables(normals, kept)
    rows = split(inputs_of(**given_), SplitConfig(ratio, seed)).rows
    assert rows.schema.equals(SPLITS)
    assert rows["doc_id"].to_pylist() == [i for i, k in zip(ids, kept, strict=True) if k]
    texts = {n: f"{seed}:{hash_text(str(n))}".encode() for n in range(10)}
    side = {n: int(hashlib.md5(text).hexdigest()[:8], 16) for n, text in texts.items()}
    expected = [
        "heldout" if side[n] < ratio * 2**32 else "train"
        for n, k in zip(normals, kept, strict=True)
        if k
    ]
    assert rows["split"].to_pylist() == expected


def test_the_share_is_about_the_ratio():
    _, given_ = tables(list(range(4000)), [True] * 4000)
    sides = split(inputs_of(**given_), SplitConfig(0.25)).rows["split"].to_pylist()
    assert 0.22 < sides.count("heldout") / len(sides) < 0.28  # 4 standard errors


def test_another_seed_draws_independently():
    _, given_ = tables(list(range(4000)), [True] * 4000)
    drawn = []
    for seed in (0, 1):
        sides = split(inputs_of(**given_), SplitConfig(0.25, seed)).rows["split"].to_pylist()
        drawn.append({number for number, side in enumerate(sides) if side == "heldout"})
    assert 190 < len(drawn[0] & drawn[1]) < 310  # 4000 / 16, and 4 standard errors


@pytest.mark.parametrize("config", [{"heldout_ratio": 1.0}, {"heldout_ratio": -0.1}, {"seed": -1}])
def test_impossible_values_are_refused(config):
    with pytest.raises(RecipeError, match="heldout_ratio"):
        SplitConfig(**config)
