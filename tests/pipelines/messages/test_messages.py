"""Conversations as ids and masks: each part against SentencePiece's own ids; what is set aside."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from data_contracts.errors import InputError, NotFound, UsageError
from data_contracts.shards import open_shards, verify_shards
from data_contracts.tokenizer import Tokenizer
from pipelines.messages.chat import ChatConfig, ChatTemplate, Sample
from pipelines.messages.conversations import (
    MAX_LINE_BYTES,
    Conversation,
    SetAside,
    Turn,
    read_conversations,
)
from pipelines.messages.pack_messages import pack_messages
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model

MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
TEXTS = ["what is the sum of two and three?", "it is five.", "be brief and kind.", "why so?"]


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


def expected(oracle, pairs):
    """Return ids and mask of a conversation, written anew from the template's description."""
    ids, mask = [oracle.bos_id()], [0]
    for role, content in pairs:
        inner = oracle.encode(content)
        said = int(role == "assistant" and len(inner) > 0)
        ids += [oracle.piece_to_id(f"<|{role}|>"), *inner, oracle.piece_to_id("<|end|>")]
        mask += [0, *[said] * len(inner), said]
    return [*ids, oracle.eos_id()], [*mask, mask[-1]]


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


def test_a_question_at_the_end_stays_where_it_fits_and_is_set_aside_where_not(tokenizer):
    pairs = [("user", TEXTS[0]), ("assistant", TEXTS[1]), ("user", TEXTS[3])]
    (whole,) = samples(tokenizer, *pairs)
    assert whole.mask[-1] == 0
    first, last = samples(tokenizer, *pairs, max_tokens=len(whole.ids) - 1)
    assert isinstance(first, Sample)
    assert last == SetAside("a.jsonl:1", "messages.unanswered")


def test_a_tokenizer_without_the_marks_is_refused():
    with pytest.raises(
        InputError, match=r"no control symbol <\|end\|>, <\|user\|>; list <\|system"
    ):
        ChatTemplate(trained(("<|system|>", "<|assistant|>")), ChatConfig())
    with pytest.raises(InputError, match="no control symbol for each mark"):
        ChatTemplate(trained(MARKS), ChatConfig(user="<|end|>"))


WRONG = [
    (b"{", "messages.not_json"),
    (b"\xff\xfe", "messages.not_json"),
    (b"[" * 100_000, "messages.not_json"),
    (b'{"messages": ' + b"9" * 5000 + b"}", "messages.not_json"),
    (b"[]", "messages.no_messages"),
    (b'{"messages": []}', "messages.no_messages"),
    (b'{"messages": {"role": "user"}}', "messages.no_messages"),
    (b'{"messages": ["hello"]}', "messages.bad_role"),
    (b'{"messages": [{"role": "tool", "content": "x"}]}', "messages.bad_role"),
    (b'{"messages": [{"role": ["user"], "content": "x"}]}', "messages.bad_role"),
    (b'{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]}',
     "messages.bad_role"),
    (b'{"messages": [{"role": "user"}]}', "messages.bad_content"),
    (b'{"messages": [{"role": "user", "content": [1]}]}', "messages.bad_content"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "messages.bad_content"),
    (b" " * 8 + b"x" * MAX_LINE_BYTES, "messages.long_line"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), WRONG, ids=[f"{i}" for i in range(len(WRONG))])
def test_what_is_no_conversation_is_set_aside(line, reason):
    assert list(read_conversations([b"\n", line], "f")) == [SetAside("f:2", reason)]


def line_of(*pairs, **more):
    messages = [{"role": role, "content": content} for role, content in pairs]
    return json.dumps({"messages": messages, **more}).encode() + b"\n"


def test_files_become_shards_in_order_and_nothing_is_lost(tmp_path, tokenizer, oracle):
    good = [[("user", TEXTS[0]), ("assistant", TEXTS[1] * n)] for n in (1, 2, 3)]
    (tmp_path / "a.jsonl").write_bytes(line_of(*good[0], id="x") + b"{\n" + line_of(*good[1]))
    long = b"y" * (2 * MAX_LINE_BYTES + 9) + b"\n"
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(long + line_of(*good[2])))
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"]
    packed = pack_messages(files, tokenizer, tmp_path / "out", max_tokens=200)
    assert packed.num_lines == 5
    assert packed.names == ["a.jsonl:1 ('x')", "a.jsonl:3", "b.jsonl.gz:2"]
    assert packed.set_aside == [
        SetAside("a.jsonl:2", "messages.not_json"),
        SetAside("b.jsonl.gz:1", "messages.long_line"),
    ]
    opened = open_shards(tmp_path / "out")
    found = [
        (shard.tokens[start:end].tolist(), shard.mask[start:end].tolist())
        for shard in opened.shards
        for start, end in pairwise(shard.offsets.tolist())
    ]
    assert found == [expected(oracle, pairs) for pairs in good]
    assert [shard.name for shard in opened.shards] == ["messages-00000", "messages-00001"]
    assert opened.num_tokens == packed.num_tokens
    assert sum(int(np.sum(shard.mask)) for shard in opened.shards) == packed.num_asked
    assert verify_shards(tmp_path / "out") > 0


def test_nothing_is_left_when_it_goes_wrong(tmp_path, tokenizer, monkeypatch):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_bytes(line_of(("user", "why?"), ("assistant", "so.")))
    bad.write_bytes(line_of(("user", "why?")))
    out = tmp_path / "out"

    def pack(*files, **more):
        return pack_messages(files, tokenizer, out, **{"max_tokens": 100, **more})

    with pytest.raises(InputError, match=r"bad\.jsonl:1 trains on nothing"):
        pack(good, bad)
    with pytest.raises(InputError, match=r"no conversation is left of 1 lines \(messages.too_long"):
        pack(good, max_tokens=8)
    with pytest.raises(NotFound, match="does not exist"):
        pack(good, tmp_path / "none.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(good.read_bytes())[:-9])
    with pytest.raises(InputError, match="cannot be unpacked"):
        pack(tmp_path / "cut.jsonl.gz")
    with pytest.raises(UsageError, match="give 8 or more"):
        pack(good, max_tokens=7)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.messages.pack_messages.write_index", full_disk)
        with pytest.raises(OSError, match="No space"):
            pack(good)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("bad.jsonl", "cut.jsonl.gz", "good.jsonl")
    ]
    pack(good)
    with pytest.raises(UsageError, match="exists"):
        pack(good)


def test_real_conversations(shared_data, tmp_path, tokenizer):
    """GSM8K's answers are asked for, its questions are not."""
    with gzip.open(shared_data / "gsm8k" / "test.jsonl.gz") as opened:
        rows = [json.loads(line) for line, _ in zip(opened, range(300), strict=False)]
    lines = [line_of(("user", row["question"]), ("assistant", row["answer"])) for row in rows]
    (tmp_path / "gsm8k.jsonl").write_bytes(b"".join(lines))
    packed = pack_messages([tmp_path / "gsm8k.jsonl"], tokenizer, tmp_path / "out", max_tokens=2000)
    assert len(packed.names) + len(packed.set_aside) == 300
    (shard,) = open_shards(tmp_path / "out").shards
    kept = [rows[int(name.partition(":")[2]) - 1] for name in packed.names]
    for row, (start, end) in zip(kept, pairwise(shard.offsets.tolist()), strict=True):
        ids, mask = shard.tokens[start:end], shard.mask[start:end]
        assert tokenizer.decode(ids[mask == 1][:-2]) == row["answer"]
        assert tokenizer.decode(ids[mask == 0]) == row["question"]
