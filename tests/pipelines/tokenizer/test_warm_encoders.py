"""What is lent, to whom, and what is let go; bytes of shards in test_pack_tokens."""

import threading

import pyarrow as pa
import pytest
from models import train
from small_corpus import real_texts

from data_contracts.errors import InputError
from pipelines.tokenizer.warm_encoders import WarmEncoders

TEXTS = pa.array(real_texts())


@pytest.fixture(scope="module")
def model():
    return train(byte_fallback=True)


def test_who_comes_next_finds_the_chunks_that_were_seen(model):
    encoders = WarmEncoders()
    with encoders.lent(model) as first:
        found = first.encode(TEXTS)
        num_new = first.num_new
    assert num_new > 100
    with encoders.lent(model) as second:
        again = second.encode(TEXTS)
    assert second is first
    assert second.num_new == num_new
    assert again.ids.tolist() == found.ids.tolist()


def test_two_at_a_time_have_one_each_and_both_are_kept(model):
    encoders = WarmEncoders()
    with encoders.lent(model) as first, encoders.lent(model) as second:
        assert first is not second
    with encoders.lent(model) as one, encoders.lent(model) as other:
        assert {one, other} == {first, second}


def test_idle_tables_are_bounded_and_of_the_last_model_alone(model):
    encoders = WarmEncoders()
    with encoders.lent(model) as first, encoders.lent(model):
        one_table = first.table_bytes
    assert encoders.idle_bytes == 2 * one_table
    small = WarmEncoders(max_idle_bytes=one_table)
    with small.lent(model) as kept, small.lent(model):
        pass
    assert small.idle_bytes == one_table
    with small.lent(model) as again:
        assert again is kept
    with encoders.lent(train(500, byte_fallback=True)):
        assert encoders.idle_bytes == 0
    with encoders.lent(model) as anew:
        assert anew is not first


def test_after_an_error_an_encoder_is_not_lent_again(model, monkeypatch):
    encoders, used = WarmEncoders(), []

    def pack():
        with encoders.lent(model) as encoder:
            used.append(encoder)
            encoder.encode(pa.array(["import self", "\u3042"]))

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.tokenizer.new_chunks.MAX_WHOLE_BYTES", 0)
        with pytest.raises(InputError, match="cannot be cut"):
            pack()
    assert encoders.idle_bytes == 0
    pack()
    assert used[0] is not used[1]


def test_many_threads_never_share_one(model):
    encoders, lent, shared = WarmEncoders(), set(), []

    def use():
        for _ in range(20):
            with encoders.lent(model) as encoder:
                shared.append(encoder in lent)
                lent.add(encoder)
                encoder.encode(TEXTS.slice(0, 3))
                lent.discard(encoder)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared == [False] * 80
