"""Chunks one by one against SentencePiece, and which of them it is asked for."""

import numpy as np
import pytest
from models import lines, train
from sentencepiece import SentencePieceProcessor

from pipelines.tokenizer.model_proto import read_spec, without_normalisation
from pipelines.tokenizer.new_chunks import NewChunks


def chunks_of(model):
    plain = SentencePieceProcessor(model_proto=without_normalisation(model))
    return NewChunks(plain, read_spec(model))


@pytest.mark.parametrize(
    ("options", "share_asked"),
    [
        ({"byte_fallback": True}, 0.03),
        ({"user_defined_symbols": ["self"]}, 0.5),
        ({"user_defined_symbols": ["▁▁", "self"]}, 0.95),
        ({"model_type": "unigram"}, 1.0),
    ],
    ids=str,
)
def test_ids_are_sentencepieces(options, share_asked):
    flags = {"add_dummy_prefix": False, "remove_extra_whitespaces": False}
    model = train(**flags, **options)
    oracle = SentencePieceProcessor(model_proto=model)
    words = {word for line in lines() for word in line.split()}
    chunks = sorted(words | {f" {word}" for word in words})
    chunks += ["\u2581a", " \u2581", "\0", "x" * 99]
    data = np.frombuffer("".join(chunks).encode(), np.uint8)
    ends = np.cumsum([len(chunk.encode()) for chunk in chunks])
    new = chunks_of(model)
    ids, offsets = new.encode(data, np.append(0, ends[:-1]), ends)
    expected = oracle.encode(chunks)
    assert np.diff(offsets).tolist() == [len(row) for row in expected]
    assert ids.tolist() == [i for row in expected for i in row]
    assert 0 < new.num_asked <= share_asked * len(chunks)


def test_no_chunks_are_no_ids():
    model = train()
    none = np.empty(0, np.int64)
    ids, offsets = chunks_of(model).encode(np.empty(0, np.uint8), none, none)
    assert (ids.size, offsets.tolist()) == (0, [0])
