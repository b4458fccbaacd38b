"""What is told of a model against SentencePiece's own ids; texts that a model changes."""

import pytest
from models import train
from sentencepiece import SentencePieceProcessor

from pipelines.tokenizer.measure import measure_texts

OPTIONS = {"byte_fallback": True, "remove_extra_whitespaces": False, "add_dummy_prefix": False}
TEXTS = {"a": ["import self", "def f(x):", "12 34"], "b": ["ﬁne  a\u2581b", "", "中"], "none": [""]}


@pytest.mark.parametrize(
    ("options", "num_changed"),
    [
        (OPTIONS, 0),
        ({**OPTIONS, "add_dummy_prefix": True, "model_type": "unigram"}, 0),
        ({**OPTIONS, "byte_fallback": False}, 1),  # what has no piece is lost
        ({**OPTIONS, "normalization_rule_name": "nmt_nfkc"}, 1),  # the ligature is taken apart
        ({**OPTIONS, "remove_extra_whitespaces": True}, 1),
    ],
)
def test_texts_that_a_model_changes_are_counted(options, num_changed):
    facts = measure_texts(train(400, **options), TEXTS)
    assert facts["changed_texts"] == num_changed
    assert set(facts["by_source"]) == {"a", "b"}  # no bytes per token of no tokens
    assert facts["unused_pieces"] < facts["unused_by_source"]["a"]
    assert facts["unused_by_source"]["none"] > facts["unused_by_source"]["b"]


def test_unused_pieces_are_those_that_no_id_names():
    model = train(400, **OPTIONS)
    oracle = SentencePieceProcessor(model_proto=model)
    texts = {"s": ["import self", "def f(x):\n"]}
    used = {number for text in texts["s"] for number in oracle.encode(text)}
    special = {i for i in range(400) if oracle.is_byte(i) or oracle.is_control(i)}
    expected = set(range(400)) - used - special - {oracle.unk_id()}
    assert measure_texts(model, texts)["unused_pieces"] == len(expected) > 100
