"""The loaded tokenizer against SentencePiece itself; round trips; what is no tokenizer."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from data_contracts.errors import Damaged, InputError
from data_contracts.shards import Vocabulary
from data_contracts.tokenizer import LOST_CHARACTER, TOKENIZERS, Tokenizer, tokenizer_of
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model
from store.identity import digest_bytes


def real_texts():
    """Some of the standard library's own files."""
    paths = sorted(Path(os.__file__).parent.glob("[a-d]*.py"))[:20]
    return [path.read_text(encoding="utf-8") for path in paths]


@pytest.fixture(scope="module")
def model():
    lines = (line for text in real_texts() for line in text.split("\n"))
    return train_model(lines, TokenizerConfig(vocab_size=600))


@pytest.fixture(scope="module")
def tokenizer(model):
    return Tokenizer(model)


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            ["def ", "    ", "\n", "\t", "\r\n", "<s>", "</s>", "<pad>", "<unk>", "<0x41>", "\0"]
        ),
        st.sampled_from(["the ", " self.x", "12345", "é", "中文", "\ufeff", "\u200d", "⁇", "▅"]),
    ),
    max_size=12,
).map("".join)


def test_ids_are_sentencepieces_and_decode_to_the_very_text(model, tokenizer):
    oracle = SentencePieceProcessor(model_proto=model)
    seen = {"plain": 0, "lossy": 0, "bytes": 0}

    @given(TEXTS)
    def check(text):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32
        assert ids.tolist() == oracle.encode(text)
        assert tokenizer.decode(ids) == text.replace(LOST_CHARACTER, " ")
        (document,) = tokenizer.encode_documents([text])
        assert document.tolist() == [1, *ids.tolist(), 2]
        assert tokenizer.decode(document) == tokenizer.decode(ids)
        assert 0 not in ids  # bytes stand for what has no piece
        seen["plain"] += LOST_CHARACTER not in text and len(text) > 0
        seen["lossy"] += LOST_CHARACTER in text
        seen["bytes"] += not text.isascii()

    check()
    tokenizer_of_lost = tokenizer.encode(f"a{LOST_CHARACTER}b")
    assert tokenizer.decode(tokenizer_of_lost) == "a b"
    assert min(seen["plain"], seen["bytes"]) > 0


def test_real_texts_come_back_whole_and_need_fewer_tokens_than_bytes(tokenizer):
    texts = real_texts()
    assert len(texts) == 20
    documents = tokenizer.encode_documents(texts)
    assert [tokenizer.decode(ids) for ids in documents] == texts
    assert sum(map(len, documents)) < sum(len(text.encode()) for text in texts) / 1.5


def test_texts_joined_at_a_line_end_have_the_joined_ids(tokenizer):
    one, two = "def f(x):\n", "    return x"
    joined = [*tokenizer.encode(one), *tokenizer.encode(two)]
    assert tokenizer.encode(one + two).tolist() == joined


def test_the_vocabulary_is_what_shards_carry(model, tokenizer):
    assert tokenizer.vocabulary == Vocabulary(600, 1, 2, 3, digest_bytes(model))
    assert [tokenizer.piece(i) for i in (0, 1, 2, 3, 4, 5, 6)] == [
        *("<unk>", "<s>", "</s>", "<pad>", "\n", "\t", "<0x00>")
    ]
    with pytest.raises(IndexError):
        tokenizer.decode([600])


def test_no_text_is_no_tokens(tokenizer):
    assert tokenizer.encode("").tolist() == []
    assert tokenizer.encode_documents([]) == []
    assert tokenizer.decode([]) == ""


def test_a_cut_character_is_replaced(tokenizer):
    ids = tokenizer.encode("\U0010ffff")
    assert len(ids) == 4
    assert set(tokenizer.decode(ids[:2])) == {"\ufffd"}


@pytest.mark.parametrize("data", [b"", b"not a model", None])
def test_what_is_no_model_is_refused(model, data):
    with pytest.raises(Damaged, match="not a SentencePiece model; run train_tokenizer"):
        Tokenizer(model[:-5] if data is None else data)


def test_a_model_without_marks_is_refused():
    made = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(real_texts()[0].split("\n")),
        model_writer=made,
        model_type="bpe",
        vocab_size=400,
        bos_id=-1,
        byte_fallback=True,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    with pytest.raises(InputError, match="no BOS or no EOS"):
        Tokenizer(made.getvalue())


def test_a_table_holds_exactly_one_sound_model(model):
    row = {"name": "tokenizer.model", "digest": digest_bytes(model), "data": model}
    table = pa.Table.from_pylist([row], TOKENIZERS)
    assert tokenizer_of(table).vocabulary.tokenizer_digest == row["digest"]
    with pytest.raises(Damaged, match="2 rows"):
        tokenizer_of(pa.concat_tables([table, table]))
    with pytest.raises(Damaged, match="not as it was written"):
        tokenizer_of(pa.Table.from_pylist([{**row, "data": model[:-1] + b"?"}], TOKENIZERS))
