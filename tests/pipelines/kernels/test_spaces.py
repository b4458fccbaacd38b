"""Spaces as SentencePiece's own normaliser leaves them."""

import io

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from pipelines.kernels.buffers import text_buffers
from pipelines.kernels.spaces import normalise_spaces

TEXTS = st.lists(st.text(st.sampled_from(" \u2581\n\ta中\u3000"), max_size=9), max_size=4)


@pytest.mark.parametrize("remove_extra", [False, True])
@pytest.mark.parametrize("dummy", [False, True])
@pytest.mark.parametrize("is_suffix", [False, True])
def test_they_are_as_the_normaliser_leaves_them(remove_extra, dummy, is_suffix):
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["a b a b"]),
        model_writer=model,
        vocab_size=10,
        model_type="bpe",
        normalization_rule_name="identity",
        add_dummy_prefix=dummy,
        remove_extra_whitespaces=remove_extra,
        treat_whitespace_as_suffix=is_suffix,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    oracle = SentencePieceProcessor(model_proto=model.getvalue())
    changed = 0

    @given(TEXTS)
    @example([" ", "\u2581", " \u2581 a  b \u2581", ""])
    def check(texts):
        nonlocal changed
        buffers = text_buffers(pa.array(["x", *texts], pa.string()).slice(1))
        found = normalise_spaces(
            buffers, remove_extra, dummy and not is_suffix, dummy and is_suffix
        )
        for row, text in enumerate(texts):
            ours = found.data[found.offsets[row] : found.offsets[row + 1]].tobytes().decode()
            assert ours.replace(" ", "\u2581") == oracle.normalize(text).replace(" ", "\u2581")
            changed += ours != text

    check()
    assert (changed > 0) == (remove_extra or dummy)
