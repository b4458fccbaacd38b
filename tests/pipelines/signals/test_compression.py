import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.signals.compression import FAMILY


def encode(data):
    """Write an LZ4 block by the rules of the kernel's docstring."""
    block, places = bytearray(), {}

    def put(literals, offset=0, length=0):
        longer = max(length - 4, 0)
        block.append(min(len(literals), 15) << 4 | min(longer, 15))
        put_more(len(literals))
        block.extend(literals)
        if length:
            block.extend(offset.to_bytes(2, "little"))
            put_more(longer)

    def put_more(number):
        if number >= 15:
            whole, rest = divmod(number - 15, 255)
            block.extend([255] * whole + [rest])

    at = done = 0
    while len(data) - at > 12:
        four = data[at : at + 4]
        slot = (int.from_bytes(four, "little") * 2654435761 % 2**32) >> 18
        before, places[slot] = places.get(slot), at
        if before is None or at - before > 65_535 or data[before : before + 4] != four:
            at += 1
            continue
        length = 4
        while at + length < len(data) - 5 and data[before + length] == data[at + length]:
            length += 1
        put(data[done:at], at - before, length)
        at = done = at + length
    put(data[done:])
    return bytes(block)


def oracle(text):
    data = text.encode()
    block = encode(data)
    assert decoded(block, len(data)) == data
    return {"compression_ratio": len(data) / len(block)}


def decoded(block, size):
    """Decode with Arrow's LZ4, which knows nothing of ours."""
    return pa.Codec("lz4_raw").decompress(block, size, asbytes=True) if size else b""


def test_values_are_those_of_blocks_that_lz4_decodes(agree):
    assert agree(FAMILY, oracle)["compression_ratio"] > 0


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["abcd", "abc", "x", "é", "wxyz" * 80, "q" * 30]), max_size=60))
def test_long_literals_and_matches(pieces):
    from pipelines.kernels.decoded import text_batch

    text = "".join(pieces)
    values = FAMILY.measure(text_batch(pa.array([text, text])), None)["compression_ratio"]
    assert values.tolist() == [oracle(text)["compression_ratio"]] * 2


def test_example(measure_one):
    assert measure_one(FAMILY, "")["compression_ratio"] == 0.0
    assert measure_one(FAMILY, "a")["compression_ratio"] == 1 / 2
    assert measure_one(FAMILY, "abcdefghijkl")["compression_ratio"] == 12 / 13
    # one literal, a match of 94 at distance 1, five literals
    assert measure_one(FAMILY, "a" * 100)["compression_ratio"] == 100 / (1 + 1 + 2 + 1 + 1 + 5)


@pytest.mark.parametrize(
    "text", ["word " * 200_000, "x" * 1_000_000, "\n" * 300_000, "中\U0001f600é" * 30_000]
)
def test_repetition_compresses(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
    assert measure_one(FAMILY, text)["compression_ratio"] > 200


def test_a_text_does_not_know_the_one_before(measure_one):
    from pipelines.kernels.decoded import text_batch

    texts = [
        "some words that come again, " * 3,
        "",
        "some words that come again, " * 3,
        "ome words",
    ]
    values = FAMILY.measure(text_batch(pa.array(texts)), None)["compression_ratio"].tolist()
    assert values == [oracle(text)["compression_ratio"] if text else 0.0 for text in texts]
