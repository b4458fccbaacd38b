"""The loaded tokenizer against SentencePiece itself; round trips; what is no tokenizer."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from data_contracts.errors import Damaged, InputError
from data_contracts.lower_block import LOWER_BLOCK, LowerBlocks
from data_contracts.shards import Vocabulary
from data_contracts.tokenizer import TOKENIZERS, Tokenizer, tokenizer_of
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


def foreign_model(**options):
    """A model that SentencePiece trained by itself, with its own defaults but for some options."""
    made = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(real_texts()[0].split("\n")),
        model_writer=made,
        model_type="bpe",
        vocab_size=400,
        minloglevel=2,
        hard_vocab_limit=False,
        **options,
    )
    return made.getvalue()


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            ["def ", "    ", "\n", "\t", "\r\n", "<s>", "</s>", "<pad>", "<unk>", "<0x41>", "\0"]
        ),
        st.sampled_from(["the ", " self.x", "12345", "é", "中文", "\ufeff", "\u200d", "⁇", "▅"]),
        st.sampled_from(["▁", "▁▁", " ▁", "\ue000", "\ue001", "<0xE2>", "\u2580"]),
    ),
    max_size=12,
).map("".join)


def test_ids_are_sentencepieces_and_decode_to_the_very_text(model, tokenizer):
    oracle = SentencePieceProcessor(model_proto=model)
    spelt = [oracle.piece_to_id(f"<0x{byte:02X}>") for byte in LOWER_BLOCK.encode()]
    seen = {"plain": 0, "blocks": 0, "bytes": 0, "stand_ins": 0}

    @given(TEXTS)
    @example("\ue000▁ \ue000")
    def check(text):
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32
        expected = []
        for part in re.split("([▁])", text):
            expected += spelt if part == "▁" else oracle.encode(part)
        assert ids.tolist() == expected
        assert tokenizer.decode(ids) == oracle.decode(expected) == text
        (document,) = tokenizer.encode_documents([text])
        assert document.tolist() == [1, *ids.tolist(), 2]
        assert tokenizer.decode(document) == tokenizer.decode(ids)
        assert 0 not in ids  # bytes stand for what has no piece
        seen["plain"] += LOWER_BLOCK not in text and len(text) > 0
        seen["blocks"] += LOWER_BLOCK in text
        seen["bytes"] += not text.isascii()
        seen["stand_ins"] += LOWER_BLOCK in text and "\ue000" in text

    check()
    assert min(seen.values()) > 0


def test_a_stand_in_is_a_character_that_no_piece_holds():
    lines = ["a \ue000\ue002 b"] * 50 + [line for text in real_texts() for line in text.split("\n")]
    config = TokenizerConfig(vocab_size=600, user_symbols=("x\ue001",), character_coverage=1.0)
    model = train_model(lines, config)
    tokenizer = Tokenizer(model)
    assert tokenizer.lower_blocks.stand_in == "\ue003"
    text = "▁\ue003x\ue001▁\ue000"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_text_of_lower_blocks_alone_takes_linear_time(tokenizer):
    text = "▁\ue000" * 200_000
    ids = tokenizer.encode(text)
    assert len(ids) == 6 * 200_000
    assert tokenizer.decode(ids) == text


def test_without_bytes_a_lower_block_is_unknown_as_any_character_without_a_piece():
    tokenizer = Tokenizer(foreign_model())
    assert tokenizer.encode("a▁").tolist() == tokenizer.encode("a中").tolist()
    assert tokenizer.special_ids["unk"] in tokenizer.encode("a▁")


def test_a_stand_in_that_was_not_spelt_in_its_bytes_is_an_error(model):
    blocks = LowerBlocks(SentencePieceProcessor(model_proto=model))
    with pytest.raises(InputError, match="changes characters"):
        blocks.restore("a▁", np.array([300, 301]))


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
    assert tokenizer.vocabulary == Vocabulary(600, 1, 2, 3, digest_bytes(model), mask_id=4)
    assert [tokenizer.piece(i) for i in range(8)] == [
        *("<unk>", "<s>", "</s>", "<pad>", "<mask>", "\n", "\t", "<0x00>")
    ]


@pytest.mark.parametrize("number", [600, -1, 2**31, 2**70])
def test_an_id_outside_the_vocabulary_is_an_error_that_names_it(tokenizer, number):
    with pytest.raises(IndexError, match=f"id {number} is outside .* of 600"):
        tokenizer.decode([300, number])


@pytest.mark.parametrize("text", ["a\ud800", "\udc00", "▁\ud83d"])
def test_a_lone_surrogate_is_an_error_that_names_its_place(tokenizer, text):
    with pytest.raises(InputError, match=rf"text 1 has the lone surrogate .* {len(text) - 1}, "):
        tokenizer.encode_documents(["plain", text])
    with pytest.raises(InputError, match="text 0 has the lone surrogate"):
        tokenizer.encode(text)


def test_control_characters_and_spaces_alone_come_back(tokenizer):
    for text in ("\0", "\0" * 999, " " * 5000, "\n" * 77, "\t \r\n", "\x7f\x80\ufffe\uffff"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_ids_are_found_by_role_and_marks_by_their_text():
    lines = [line for text in real_texts() for line in text.split("\n")]
    marks = ("[CLS]", "[SEP]", "<|user|>")
    config = TokenizerConfig(vocab_size=600, control_symbols=marks, user_symbols=("[MASK]",))
    tokenizer = Tokenizer(train_model(lines, config))
    expected = {"unk": 0, "bos": 1, "eos": 2, "pad": 3, "cls": 4, "sep": 5}
    assert tokenizer.special_ids == expected  # no mask: text may hold a user symbol
    assert tokenizer.vocabulary.mask_id is None
    controls = {"<s>": 1, "</s>": 2, "<pad>": 3, "[CLS]": 4, "[SEP]": 5, "<|user|>": 6}
    assert tokenizer.control_ids == controls
    ids = tokenizer.encode("".join(controls)).tolist()
    assert ids
    assert not set(ids) & set(controls.values())
    assert tokenizer.decode([*ids, 4, 6]) == "".join(controls)


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
    model = foreign_model(bos_id=-1, byte_fallback=True)
    with pytest.raises(InputError, match="no BOS or no EOS"):
        Tokenizer(model)


def test_a_table_holds_exactly_one_sound_model(model):
    row = {"name": "tokenizer.model", "digest": digest_bytes(model), "data": model}
    table = pa.Table.from_pylist([row], TOKENIZERS)
    assert tokenizer_of(table).vocabulary.tokenizer_digest == row["digest"]
    with pytest.raises(Damaged, match="2 rows"):
        tokenizer_of(pa.concat_tables([table, table]))
    with pytest.raises(Damaged, match="not as it was written"):
        tokenizer_of(pa.Table.from_pylist([{**row, "data": model[:-1] + b"?"}], TOKENIZERS))
