import hashlib
import random

import numpy as np
import pytest

from pipelines.kernels.sha1 import sha1_64, sha1_scratch


def in_python(data):
    return int.from_bytes(hashlib.sha1(data).digest()[:8], "little")


def test_every_length_of_three_blocks():
    data = random.Random(1).randbytes(210)
    array, scratch = np.frombuffer(data, dtype=np.uint8), sha1_scratch()
    for start in (0, 5):
        for end in range(start, len(data)):
            assert int(sha1_64(array, start, end, *scratch)) == in_python(data[start:end])


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 1_000_000])
def test_known_texts(data):
    array = np.frombuffer(data, dtype=np.uint8)
    assert int(sha1_64(array, 0, array.size, *sha1_scratch())) == in_python(data)
