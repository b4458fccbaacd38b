import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.window_copies import Places, find_copies

TEXTS = st.lists(
    st.lists(st.sampled_from([b"a", b"b", b"ab" * 6, b"aab"]), max_size=8).map(b"".join), max_size=4
)


def places_of(texts, size, groups):
    """Return one place for each window, its own anchor; ``groups`` says how to group windows."""
    begins = np.cumsum([0, *map(len, texts)])
    windows = [
        (groups(text[at : at + size]), number, begins[number] + at)
        for number, text in enumerate(texts)
        for at in range(len(text) - size + 1)
    ]
    windows.sort()
    keys = [key for key, *_ in windows]
    offsets = [at for at in range(len(keys)) if at == 0 or keys[at] != keys[at - 1]]
    documents, anchors = np.array([w[1:] for w in windows], dtype=np.int64).reshape(-1, 2).T.copy()
    return Places(np.array([*offsets, len(keys)]), documents, anchors, anchors, anchors)


def copies_of(texts, places, size):
    data = np.frombuffer(b"".join(texts), dtype=np.uint8)
    return find_copies(data, places, size)


def oracle(texts, size):
    """Return (start, start of the first equal window) of all windows that are copies."""
    firsts, begin, copies = {}, 0, set()
    for number, text in enumerate(texts):
        for at in range(len(text) - size + 1):
            first_number, first = firsts.setdefault(text[at : at + size], (number, begin + at))
            if first_number != number or first + size <= begin + at:
                copies.add((begin + at, first))
        begin += len(text)
    return copies


@pytest.mark.parametrize("groups", [bytes, lambda window: window[0], lambda window: 0])
def test_copies_are_those_of_a_dictionary_however_windows_are_grouped(groups):
    num_copies = 0

    @given(TEXTS, st.integers(1, 6))
    def check(texts, size):
        nonlocal num_copies
        places = places_of(texts, size, groups)
        copies = copies_of(texts, places, size)
        found = {
            (int(first), int(places.anchors[partner]))
            for first, partner in zip(copies.firsts, copies.partners, strict=True)
        }
        assert found == oracle(texts, size)
        assert len(found) == copies.places.size
        assert (copies.firsts == copies.lasts).all()
        assert (places.anchors[copies.places] == copies.firsts).all()
        num_copies += len(found)

    check()
    assert num_copies > 100


def test_windows_around_an_anchor_are_compared_with_the_first_that_is_equal():
    texts = [b"abcdefg#hijklmn", b"ABCDefg#hijklmn", b"ABCDefg#hiJKLMN"]
    documents = np.arange(3)
    anchors = 15 * documents + 7  # of "#"
    places = Places(np.array([0, 3]), documents, anchors, anchors - 7, anchors)
    copies = copies_of(texts, places, 8)
    found = zip(*(column.tolist() for column in copies), strict=True)
    # "efg#hijk" to "#hijklmn" of the second text, "ABCDefg#" to "CDefg#hi" of the third
    assert sorted(found) == [(1, 15 + 4, 15 + 7, 0), (2, 30 + 0, 30 + 2, 1)]


def test_no_places_give_no_copies():
    empty = np.zeros(0, dtype=np.int64)
    places = Places(np.zeros(1, dtype=np.int64), empty, empty, empty, empty)
    copies = copies_of([b"text"], places, 5)
    assert [column.size for column in copies] == [0] * 4


def test_windows_of_equal_hash_are_told_apart():
    """Thue-Morse words of 1,024 letters and their negations have equal polynomials modulo 2**64."""
    word = [0]
    while len(word) < 1024:
        word += [1 - bit for bit in word]
    texts = [bytes(97 + (bit ^ flip) for bit in word) for flip in (0, 1, 0, 1)]
    anchors = np.arange(4) * 1024
    places = Places(np.array([0, 4]), np.arange(4), anchors, anchors, anchors)
    copies = copies_of(texts, places, 1024)
    assert copies.places.tolist() == [2, 3]
    assert copies.partners.tolist() == [0, 1]
    assert len(set(texts)) == 2


def test_many_places_of_one_anchor_take_linear_time():
    chance = np.random.default_rng(2)
    texts = [bytes(chance.integers(97, 101, 60, dtype=np.uint8)) for _ in range(20_000)]
    documents = np.arange(20_000)
    anchors = documents * 60 + 30
    places = Places(np.array([0, 20_000]), documents, anchors, anchors - 10, anchors)
    copies = copies_of(texts, places, 30)
    assert copies.places.size == 0
