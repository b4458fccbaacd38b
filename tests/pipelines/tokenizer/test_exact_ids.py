"""Ids that decode to the very text, with every kind of model that spells characters in bytes."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from models import train
from sentencepiece import SentencePieceProcessor

from data_contracts.tokenizer import Tokenizer
from pipelines.tokenizer.encoder import ChunkEncoder
from pipelines.tokenizer.exact_ids import encode_exactly

PARTS = [
    "\u2581",
    "\u2581\u2581",
    "\ue000",
    "\ue001",
    " ",
    "  ",
    "\n",
    "\0",
    "a",
    "self",
    "é",
    "中",
]
TEXTS = st.lists(
    st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=9).map("".join),
    max_size=5,
)
OURS = {"add_dummy_prefix": False, "allow_whitespace_only_pieces": True}
MODELS = {
    "bpe": OURS,
    "unigram": {"model_type": "unigram", **OURS},
    "llama": {"split_digits": True, "allow_whitespace_only_pieces": True},  # a space before texts
    "symbols": {**OURS, "user_defined_symbols": ["\u2581\u2581", "\ue000", "\n"]},
}


@pytest.mark.parametrize("name", MODELS)
def test_ids_decode_to_the_very_text_and_are_the_tokenizers(name):
    model = train(byte_fallback=True, remove_extra_whitespaces=False, **MODELS[name])
    encoder, tokenizer = ChunkEncoder(model), Tokenizer(model)
    oracle = SentencePieceProcessor(model_proto=model)
    seen = {"blocks": 0, "stand_ins": 0, "plain": 0}

    @given(TEXTS)
    @example(["\ue000\u2581 \ue000", "plain"])
    def check(texts):
        found = encode_exactly(encoder, pa.array(texts, pa.string()), bos=1, eos=2)
        for row, text in enumerate(texts):
            ids = found.ids[found.offsets[row] : found.offsets[row + 1]]
            assert ids.tolist() == [1, *tokenizer.encode(text).tolist(), 2]
            assert oracle.decode(ids.tolist()) == text
            if "\u2581" not in text:
                assert ids[1:-1].tolist() == oracle.encode(text)
            seen["blocks"] += "\u2581" in text
            seen["stand_ins"] += "\u2581" in text and "\ue000" in text
            seen["plain"] += "\u2581" not in text

    check()
    assert min(seen.values()) > 0


def test_rows_beside_those_with_lower_blocks_are_as_without_them():
    model = train(byte_fallback=True, remove_extra_whitespaces=False, **OURS)
    encoder, tokenizer = ChunkEncoder(model), Tokenizer(model)
    texts = pa.array(["left out", "a b", "\u2581", "", "c\u2581d e", "f"]).slice(1)
    found = encode_exactly(encoder, texts)
    rows = [found.ids[i:j] for i, j in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    assert [tokenizer.decode(ids) for ids in rows] == texts.to_pylist()
