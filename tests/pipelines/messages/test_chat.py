"""Conversations as ids and masks: each part against SentencePiece's own ids; what is divided."""

import json

import pytest
from chat_files import MARKS, TEXTS, expected
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from data_contracts.errors import InputError
from data_contracts.tokenizer import Tokenizer
from pipelines.messages.chat import ChatConfig, ChatTemplate, Sample, SetAside
from pipelines.messages.conversations import Conversation, Turn, text_of, turns_of
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model


def trained(symbols):
    config = TokenizerConfig(vocab_size=320, control_symbols=symbols)
    return Tokenizer(train_model(TEXTS * 20, config))


@pytest.fixture(scope="module")
def tokenizer():
    return trained(MARKS)


@pytest.fixture(scope="module")
def oracle(tokenizer):
    return SentencePieceProcessor(model_proto=tokenizer.model)


def conversation(*pairs):
    return Conversation("a.jsonl:1", tuple(Turn(role, content) for role, content in pairs))


def samples(tokenizer, *pairs, max_tokens=10_000):
    return list(ChatTemplate(tokenizer, ChatConfig()).samples(conversation(*pairs), max_tokens))


def test_ids_and_mask_are_those_of_the_template(tokenizer, oracle):
    pairs = [("system", TEXTS[2]), ("user", TEXTS[0]), ("assistant", TEXTS[1])]
    (sample,) = samples(tokenizer, *pairs)
    ids, mask = expected(oracle, pairs)
    assert (sample.ids.tolist(), sample.mask.tolist()) == (ids, mask)
    assert sample.num_bytes == sum(len(content) for _, content in pairs)
    asked = sample.ids[sample.mask == 1].tolist()
    assert oracle.decode(asked[:-2]) == TEXTS[1]
    assert asked[-2:] == [oracle.piece_to_id("<|end|>"), oracle.eos_id()]


def test_a_prompt_is_what_comes_before_the_answer_in_a_sample(tokenizer, oracle):
    pairs = [("system", TEXTS[2]), ("user", TEXTS[0]), ("assistant", TEXTS[1])]
    template = ChatTemplate(tokenizer, ChatConfig())
    prompt = template.prompt(conversation(*pairs[:2]).turns)
    ids, mask = expected(oracle, pairs)
    assert prompt == ids[: mask.index(1)]
    assert template.end_id == oracle.piece_to_id("<|end|>")


def test_marks_within_content_stay_text(tokenizer, oracle):
    controls = {oracle.piece_to_id(mark) for mark in MARKS} | {oracle.bos_id(), oracle.eos_id()}
    seen = {"marks": 0}
    content = st.lists(
        st.one_of(st.sampled_from([*MARKS, "<s>", "</s>", "<pad>", "<0x0A>"]), st.text(max_size=5))
    ).map("".join)

    @given(content, content)
    def check(asked, answer):
        answer += "."
        (sample,) = samples(tokenizer, ("user", asked), ("assistant", answer))
        found = [number for number in sample.ids.tolist() if number in controls]
        assert [oracle.id_to_piece(number) for number in found] == [
            *("<s>", "<|user|>", "<|end|>", "<|assistant|>", "<|end|>", "</s>")
        ]
        seen["marks"] += any(mark in asked + answer for mark in MARKS)

    check()
    assert seen["marks"] > 0


def test_a_long_conversation_is_divided_before_turns_of_the_user(tokenizer, oracle):
    system = ("system", TEXTS[2])
    exchanges = [[("user", TEXTS[0] * n), ("assistant", TEXTS[1])] for n in (1, 2, 1, 3)]
    whole = [system, *(turn for exchange in exchanges for turn in exchange)]
    seen = 0
    for max_tokens in range(40, len(expected(oracle, whole)[0]) + 1):
        found = samples(tokenizer, *whole, max_tokens=max_tokens)
        kept = [item for item in found if isinstance(item, Sample)]
        aside = [item.reason for item in found if isinstance(item, SetAside)]
        assert set(aside) <= {"messages.too_long"}
        fits = [len(expected(oracle, [system, *e])[0]) <= max_tokens for e in exchanges]
        assert len(aside) == fits.count(False)
        assert all(len(sample.ids) <= max_tokens for sample in kept)
        assert all(sample.ids.tolist()[:3] == kept[0].ids.tolist()[:3] for sample in kept)
        answers = sum(int(sample.mask.sum()) for sample in kept)
        alone = int(sum(expected(oracle, exchanges[0])[1]))
        assert answers == fits.count(True) * (alone - 1) + len(kept)
        seen += len(kept) > 1
    assert seen > 0
    assert len(found) == 1


def test_what_cannot_be_asked_for_is_an_error_that_names_it(tokenizer):
    for pairs in (
        [("user", "why?")],
        [("user", "why?"), ("assistant", "")],
        [("system", "be kind")],
    ):
        with pytest.raises(InputError, match=r"a\.jsonl:1 trains on nothing"):
            samples(tokenizer, *pairs)


def test_a_question_at_the_end_stays_where_it_fits_and_is_set_aside_where_not(tokenizer, oracle):
    pairs = [("user", TEXTS[0]), ("assistant", TEXTS[1]), ("user", TEXTS[3])]
    (whole,) = samples(tokenizer, *pairs)
    assert whole.mask[-1] == 0
    first, last = samples(tokenizer, *pairs, max_tokens=len(whole.ids) - 1)
    assert isinstance(first, Sample)
    alone = len(expected(oracle, pairs[2:])[0])
    assert last == SetAside("a.jsonl:1", "messages.unanswered", alone)


def test_a_tokenizer_without_the_marks_is_refused():
    with pytest.raises(
        InputError, match=r"no control symbol <\|end\|>, <\|user\|>; list <\|system"
    ):
        ChatTemplate(trained(("<|system|>", "<|assistant|>")), ChatConfig())
    with pytest.raises(InputError, match="no control symbol for each mark"):
        ChatTemplate(trained(MARKS), ChatConfig(user="<|end|>"))


WRONG = [
    ([], "no_messages"),
    (None, "no_messages"),
    ({"role": "user"}, "no_messages"),
    (["hello"], "bad_role"),
    ([{"role": "tool", "content": "x"}], "bad_role"),
    ([{"role": ["user"], "content": "x"}], "bad_role"),
    ([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}], "bad_role"),
    ([{"role": "user"}], "bad_content"),
    ([{"role": "user", "content": [1]}], "bad_content"),
]


@pytest.mark.parametrize(("messages", "reason"), WRONG, ids=[f"{i}" for i in range(len(WRONG))])
def test_what_is_no_conversation_says_why(messages, reason):
    with pytest.raises(ValueError, match=rf"^messages\.{reason}: "):
        turns_of(messages)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), min_size=1))
def test_turns_come_back_from_their_text(pairs):
    turns = tuple(Turn(role, content) for role, content in pairs)
    assert turns_of(json.loads(text_of(turns))) == turns
