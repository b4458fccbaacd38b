from itertools import pairwise

import pyarrow as pa
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.joined_words import join_words
from pipelines.kernels.white_space_words import white_space_words


def joined(array):
    batch = text_batch(array)
    words = join_words(batch.codes, batch.words(white_space_words))
    assert words.starts.size == words.offsets[-1] + 1
    ends = words.starts[words.offsets]
    data = words.data.tobytes()
    runs = [
        data[start:end] for start, end in zip(words.starts[:-1], words.starts[1:] - 1, strict=True)
    ]
    texts = [data[start:end] for start, end in pairwise(ends)]
    return runs, texts


def test_words_are_joined_by_spaces():
    num_words = 0

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal num_words
        words = [word.encode() for text in texts for word in text.split()]
        for array in as_arrays(texts):
            runs, whole = joined(array)
            assert runs == words
            assert whole == [b"".join(w.encode() + b" " for w in text.split()) for text in texts]
        num_words += len(words)

    check()
    assert num_words > 100


def test_bytes_that_are_not_utf8_become_themselves():
    raw = b"a\xff\xc3 \xed\xb3\xbf \xc3\xa9\xf0\x9f\x91\x8d\xe4\xb8\xad"
    buffers = [None, pa.array([0, len(raw)], pa.int32()).buffers()[1], pa.py_buffer(raw)]
    runs, _ = joined(pa.Array.from_buffers(pa.string(), 1, buffers))
    assert runs == raw.split()
