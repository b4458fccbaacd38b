"""Searches with the sum before them, against SentencePiece on the whole text."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

sys.path.insert(0, str(Path(__file__).parents[1] / "tokenizer"))

from models import train

from pipelines.kernels.unigram_search import search, search_all
from pipelines.tokenizer.model_proto import read_spec
from pipelines.tokenizer.unigram_chunks import UnigramChunks

OPTIONS = {"model_type": "unigram", "add_dummy_prefix": False, "remove_extra_whitespaces": False}
ALPHABET = ["-", "--", "=", "!", ")", "(", " ", "  ", "self", "the ", "é", "\u3042", "\n", "1"]


def texts(count, seed=5):
    draw = random.Random(seed)
    return ["".join(draw.choices(ALPHABET, k=draw.randrange(1, 300))) for _ in range(count)]


@pytest.mark.parametrize("symbols", [[], ["--", "self", "1="]], ids=["plain", "symbols"])
@pytest.mark.parametrize("byte_fallback", [True, False])
def test_a_text_in_parts_is_the_text_as_a_whole(byte_fallback, symbols):
    options = {**OPTIONS, "byte_fallback": byte_fallback, "user_defined_symbols": symbols}
    model = train(500, **options)
    chunks, oracle = UnigramChunks(read_spec(model)), SentencePieceProcessor(model_proto=model)
    cut = 0
    for text in texts(200):
        data = np.frombuffer(text.encode(), np.uint8)
        out = np.empty(3 * data.size, np.int32)
        end, total = search(data, 0, data.size, np.float32(0), chunks.model, out, 0)
        ids = out[:end].tolist()
        if byte_fallback:  # else a run of unknown ids is one, which is not for a search to say
            assert ids == oracle.encode(text)
        for place in range(1, len(text)):
            if text[place - 1].isalnum() == text[place].isalnum() or text[place - 1] == " ":
                continue
            middle = len(text[:place].encode())
            at, before = search(data, 0, middle, np.float32(0), chunks.model, out, 0)
            at, after = search(data, middle, data.size, before, chunks.model, out, at)
            if out[:at].tolist() == ids:
                assert after == total
                cut += 1
    assert cut > 1000


def test_many_chunks_are_each_a_text():
    chunks = UnigramChunks(read_spec(train(500, byte_fallback=True, **OPTIONS)))
    given = texts(50)
    data = np.frombuffer("".join(given).encode(), np.uint8)
    ends = np.cumsum([len(text.encode()) for text in given])
    starts = np.concatenate([[0], ends[:-1]])
    out, offsets = np.empty(3 * data.size, np.int32), np.zeros(51, np.int64)
    search_all(data, starts, ends, chunks.model, out, offsets)
    room = np.empty(3 * data.size, np.int32)
    for number in range(50):
        end, _ = search(data, starts[number], ends[number], np.float32(0), chunks.model, room, 0)
        assert out[offsets[number] : offsets[number + 1]].tolist() == room[:end].tolist()
