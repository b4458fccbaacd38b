"""Packed conversations: shards against the template written anew; what is dropped, and why."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pytest
from chat_files import MARKS, TEXTS, expected, trained_table
from memory_part import inputs_of
from sentencepiece import SentencePieceProcessor

from data_contracts.documents import doc_id, hash_text
from data_contracts.errors import InputError
from data_contracts.messages import PACKED_MESSAGES
from data_contracts.open_shards import open_shards
from data_contracts.tokenizer import tokenizer_of
from data_contracts.verify_shards import verify_shards
from pipelines.messages.config import ConversationsConfig
from pipelines.messages.conversations import Turn, text_of
from pipelines.messages.pack_messages import STEP, pack_messages, side_of


@pytest.fixture(scope="module")
def trained():
    return trained_table()


@pytest.fixture(scope="module")
def oracle(trained):
    return SentencePieceProcessor(model_proto=trained["data"][0].as_py())


def conversations(*samples):
    texts = [text_of(tuple(Turn(role, content) for role, content in pairs)) for pairs in samples]
    keys = [f"a.jsonl#{number}" for number in range(1, len(texts) + 1)]
    return pa.table(
        {
            "doc_id": [doc_id("conversations", key) for key in keys],
            "record_key": keys,
            "text": pa.array(texts, pa.string()),
            "text_hash": [hash_text(text.encode()) for text in texts],
        }
    )


def pack(table, trained, folder, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    inputs = inputs_of(conversations=table, tokenizer=[trained])
    config = ConversationsConfig(**{"max_tokens": 100, "heldout_ratio": 0.3, **settings})
    return pack_messages(replace(inputs, scratch=folder), config)


def samples_of(folder):
    """Return (ids, mask) of every sample, side by side."""
    return {
        shard.name: [
            (shard.tokens[i:j].tolist(), shard.mask[i:j].tolist())
            for i, j in pairwise(shard.offsets.tolist())
        ]
        for shard in open_shards(folder).shards
    }


def test_samples_lie_where_rows_say_and_are_those_of_the_template(tmp_path, trained, oracle):
    given = [[("user", TEXTS[0]), ("assistant", f"{TEXTS[1]} {n}")] for n in range(40)]
    table = conversations(*given)
    output = pack(table, trained, tmp_path)
    assert output.rows.schema.equals(PACKED_MESSAGES)
    found = samples_of(tmp_path)
    rows = output.rows.to_pylist()
    for side in ("train", "heldout"):
        mine = [n for n, row in enumerate(rows) if row["split"] == side]
        assert found[side] == [expected(oracle, given[n]) for n in mine]
        at = 0
        for number in mine:
            ids, mask = expected(oracle, given[number])
            row = rows[number]
            assert (row["token_offset"], row["num_tokens"]) == (at, len(ids))
            assert (row["num_asked"], row["num_samples"], row["num_aside"]) == (sum(mask), 1, 0)
            assert row["num_bytes"] == sum(len(content) for _, content in given[number])
            at += len(ids)
        assert mine
    assert set(output.files) == {path.name for path in tmp_path.iterdir()}
    assert {"train.mask", "heldout.mask"} <= set(output.files)
    facts = output.facts
    assert facts["num_tokens"] == sum(row["num_tokens"] for row in rows)
    assert facts["train_samples"] + facts["heldout_samples"] == facts["num_samples"] == 40
    assert verify_shards(tmp_path) > 0


def test_long_ones_are_divided_or_dropped_with_the_reason(tmp_path, trained, oracle):
    exchange = [("user", TEXTS[0]), ("assistant", TEXTS[1])]
    long = [("user", TEXTS[0]), ("assistant", TEXTS[1] * 50)]
    table = conversations(exchange * 3, long, [*exchange, *long])
    room = len(expected(oracle, exchange)[0]) + 1
    output = pack(table, trained, tmp_path, max_tokens=room, heldout_ratio=0.0)
    divided, dropped, partly = output.rows.to_pylist()
    assert (divided["num_samples"], divided["keep"]) == (3, True)
    assert (dropped["keep"], dropped["reason"]) == (False, "messages.too_long")
    values = {"num_tokens": len(expected(oracle, long)[0]), "max_tokens": room}
    for row in (dropped, partly):
        assert json.loads(row["values"]) == {**values, "messages.too_long": 1}
    assert divided["values"] is None
    assert (dropped["token_offset"], dropped["num_tokens"], dropped["num_aside"]) == (None, 0, 1)
    assert (partly["keep"], partly["num_samples"], partly["num_aside"]) == (True, 1, 1)
    assert samples_of(tmp_path)["train"] == [expected(oracle, exchange)] * 4


def test_equal_conversations_are_on_one_side_and_a_seed_draws_others():
    hashes = [hash_text(f"{number}".encode()) for number in range(2000)]
    config = ConversationsConfig(heldout_ratio=0.2)
    sides = [side_of(text, config) for text in hashes]
    assert sides == [side_of(text, config) for text in hashes]
    assert 300 < sides.count("heldout") < 500
    assert sides != [side_of(text, replace(config, seed=1)) for text in hashes]
    assert {side_of(text, replace(config, heldout_ratio=0.0)) for text in hashes} == {"train"}


def test_what_cannot_be_trained_on_names_the_conversation(tmp_path, trained):
    good = [("user", "why?"), ("assistant", "so.")]
    with pytest.raises(InputError, match=r"^a\.jsonl#2 trains on nothing"):
        pack(conversations(good, [("user", "why?")]), trained, tmp_path / "nothing")
    with pytest.raises(InputError, match=r"no control symbol <\|end\|>"):
        pack(conversations(good), trained_table(MARKS[:3]), tmp_path / "marks")
    assert not list(tmp_path.rglob("index.json"))


def test_no_conversations_are_two_empty_shards(tmp_path, trained):
    output = pack(conversations(), trained, tmp_path)
    assert (len(output.rows), samples_of(tmp_path)) == (0, {"train": [], "heldout": []})


def test_the_step_is_a_map_that_accounts_for_every_conversation():
    assert (STEP.kind, STEP.emits, STEP.accounts_for) == ("map", "documents", "conversations")


def test_real_conversations(shared_data, tmp_path, trained):
    """GSM8K's answers are asked for, its questions are not."""
    with gzip.open(shared_data / "gsm8k" / "test.jsonl.gz") as opened:
        records = [json.loads(line) for line, _ in zip(opened, range(300), strict=False)]
    pairs = [[("user", r["question"]), ("assistant", r["answer"])] for r in records]
    settings = {"max_tokens": 2000, "heldout_ratio": 0.0}
    output = pack(conversations(*pairs), trained, tmp_path, **settings)
    kept = [n for n, row in enumerate(output.rows.to_pylist()) if row["keep"]]
    assert len(kept) > 250
    tokenizer = tokenizer_of(trained)
    for number, (ids, mask) in zip(kept, samples_of(tmp_path)["train"], strict=True):
        asked = [i for i, said in zip(ids, mask, strict=True) if said]
        read = [i for i, said in zip(ids, mask, strict=True) if not said]
        assert tokenizer.decode(asked[:-2]) == records[number]["answer"]
        assert tokenizer.decode(read) == records[number]["question"]
