import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.utf8 import decode, encode, scratch_for

# Leads, following bytes and the edges of what is overlong, a surrogate or too large.
BYTES = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF]
BYTES += [0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]
HOSTILE = st.one_of(
    st.binary(max_size=12), st.lists(st.sampled_from(BYTES), max_size=12).map(bytes)
)


def read_only(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


def test_any_bytes_decode_as_in_python_and_encode_to_the_same_bytes():
    seen = {"valid": 0, "invalid": 0}

    @given(HOSTILE, st.binary(max_size=3), st.binary(max_size=3))
    def check(raw, before, after):
        data = read_only(before + raw + after)
        start, end = len(before), len(before) + len(raw)
        codes = decode(data, start, end, np.empty(len(raw), dtype=np.int32))
        expected = raw.decode("utf-8", "surrogateescape")
        assert codes.tolist() == [ord(char) for char in expected]
        written = np.full(len(raw) + 2, 0xEE, dtype=np.uint8)
        assert encode(codes, written, 1) == 1 + len(raw)
        assert written.tobytes() == b"\xee" + raw + b"\xee"
        is_invalid = any(0xDC80 <= ord(char) <= 0xDCFF for char in expected)
        seen["invalid" if is_invalid else "valid"] += 1

    check()
    assert min(seen.values()) > 0, seen


def test_every_code_point_survives():
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    raw = text.encode()
    codes = decode(read_only(raw), 0, len(raw), np.empty(len(raw), dtype=np.int32))
    assert len(codes) == 0x110000 - 0x800
    assert codes.tobytes() == text.encode("utf-32-le")
    written = np.empty(len(raw), dtype=np.uint8)
    assert encode(codes, written, 0) == len(raw)
    assert written.tobytes() == raw


def test_scratch_has_room_for_the_longest_text():
    assert scratch_for(np.array([3, 3, 10, 12])).size == 7
    assert scratch_for(np.array([0])).size == 0
