"""What is read of a model against what SentencePiece says of it."""

import pytest
from models import train
from sentencepiece import SentencePieceProcessor

from data_contracts.errors import Damaged
from pipelines.tokenizer.model_proto import PieceType, read_spec, without_normalisation


@pytest.mark.parametrize("model_type", ["bpe", "unigram", "char", "word"])
def test_pieces_scores_types_and_options(model_type):
    model = train(
        model_type=model_type, user_defined_symbols=["<x>"], treat_whitespace_as_suffix=True,
        add_dummy_prefix=False, byte_fallback=model_type in ("bpe", "unigram"),
    )  # fmt: skip
    spec, oracle = read_spec(model), SentencePieceProcessor(model_proto=model)
    assert spec.model_type == model_type
    assert spec.byte_fallback == (model_type in ("bpe", "unigram"))
    assert (spec.space_is_suffix, spec.add_dummy_prefix, spec.escape_spaces) == (True, False, True)
    assert spec.charsmap == b""
    assert len(spec.pieces) == oracle.vocab_size() > 20
    for number, piece in enumerate(spec.pieces):
        assert piece.text == oracle.id_to_piece(number)
        assert piece.score == oracle.get_score(number)
        assert (piece.type is PieceType.BYTE) == oracle.is_byte(number)
        assert (piece.type is PieceType.CONTROL) == oracle.is_control(number)
        assert (piece.type is PieceType.UNKNOWN) == oracle.is_unknown(number)
    assert "<x>" in spec.of_type(PieceType.USER_DEFINED)


def test_a_model_without_normalisation_leaves_spaces_alone_and_is_the_same_otherwise():
    model = train(add_dummy_prefix=True, remove_extra_whitespaces=True, self_test_sample_size=5)
    changed = without_normalisation(model)
    before, after = read_spec(model), read_spec(changed)
    assert (before.add_dummy_prefix, before.remove_extra_spaces) == (True, True)
    assert (after.add_dummy_prefix, after.remove_extra_spaces) == (False, False)
    assert after.pieces == before.pieces
    assert SentencePieceProcessor(model_proto=changed).normalize("  a  b ") == "▁▁a▁▁b▁"


def test_a_charsmap_is_seen():
    assert read_spec(train(normalization_rule_name="nmt_nfkc")).charsmap


def test_what_is_no_model_is_damaged():
    model = train()
    refused = 0
    for junk in [b"\xff", b"\x0a\x05a", b"\x0b", model[:1000], b"\x12\x02\x18\x09", b"\x08" * 3]:
        with pytest.raises(Damaged, match="not a SentencePiece model"):
            read_spec(junk)
        refused += 1
    assert refused == 6
