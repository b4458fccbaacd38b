"""Against brute force: every text with every document, as Python's sets."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.heldout_index import build_index
from pipelines.kernels.nearest_heldout import (
    compare_with,
    find_nearest,
    least_common,
    prepare,
    share_of,
)
from pipelines.kernels.shingle_matches import filter_shingles
from pipelines.kernels.shingles import Shingles

MEASURES = ["jaccard", "containment"]
LEASTS = st.sampled_from([0.01, 1 / 3, 0.5, 0.6, 0.75, 0.9, 1.0])


def shingles_of(texts):
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Shingles(offsets, np.array([h for text in texts for h in text], dtype=np.uint64))


def prepared(documents):
    return prepare(build_index(shingles_of([sorted(document) for document in documents])))


def nearest_of(heldout, texts, measure, least):
    shingles = shingles_of(texts)
    hits = filter_shingles(heldout.table, shingles)
    nearest = find_nearest(heldout, shingles, hits.counts, measure, least)
    return list(zip(nearest.shares.tolist(), nearest.places.tolist(), strict=True))


def share_of_sets(one, other, measure):
    if not one or not other:
        return 0.0
    whole = len(one | other) if measure == "jaccard" else min(len(one), len(other))
    return len(one & other) / whole


def nearest_by_force(documents, text, measure, least):
    shares = [share_of_sets(set(text), set(document), measure) for document in documents]
    best = max([share for share in shares if share >= least], default=0.0)
    return best, shares.index(best) if best else 0


@st.composite
def corpora(draw):
    """Documents and texts that are cut from the same passages, so that many share much."""
    passages = [range(10 * number, 10 * number + 6) for number in range(4)]
    pieces = st.builds(
        lambda passage, start: list(passage[start:]), st.sampled_from(passages), st.integers(0, 4)
    )
    own = st.lists(st.integers(50, 55), max_size=3)
    text = st.lists(pieces | own, min_size=1, max_size=3).map(lambda parts: [*chain(*parts)])
    return draw(st.lists(text, max_size=10)), draw(st.lists(text, min_size=1, max_size=5))


@pytest.mark.parametrize("measure", MEASURES)
def test_the_nearest_is_that_of_brute_force(measure):
    num_near = num_far = num_ties = 0

    @given(corpora(), LEASTS)
    def check(corpus, least):
        nonlocal num_near, num_far, num_ties
        documents, texts = [*corpus[0], *corpus[0][:3]], corpus[1]  # so that some are equally near
        heldout = prepared(map(set, documents))
        found = nearest_of(heldout, texts, measure, least)
        for text, (share, place) in zip(texts, found, strict=True):
            assert (share, place) == nearest_by_force(documents, text, measure, least)
            others = [share_of_sets(set(text), set(d), measure) for d in documents]
            num_near += share > 0
            num_ties += share > 0 and others.count(share) > 1
            num_far += 0 < max(others, default=0) < least

    check()
    assert min(num_near, num_ties) > 5
    assert num_far > 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("measure", MEASURES)
def test_many_documents_that_share_notices(measure, seed):
    """Larger sets than Hypothesis makes: long lists, of which few holders are small enough."""
    rng = np.random.default_rng(seed)
    notices = [np.arange(number * 10_000, number * 10_000 + 80) for number in range(3)]

    def draw():
        notice = notices[rng.integers(3)]
        own = rng.integers(10**6, 10**6 + 3000, rng.integers(90, 250))
        copied = np.arange(2 * 10**6, 2 * 10**6 + rng.integers(1, 90))
        return [*notice[rng.integers(40) :], *own, *(copied if rng.random() < 0.1 else [])]

    documents, texts = [draw() for _ in range(300)], [draw() for _ in range(60)]
    for row in range(0, 60, 3):
        document = np.array(documents[rng.integers(300)])
        texts[row] = document[rng.random(document.size) < rng.random()]
    found = nearest_of(prepared(map(set, documents)), texts, measure, 0.5)
    expected = [nearest_by_force(documents, text, measure, 0.5) for text in texts]
    assert found == expected
    assert 3 < sum(share > 0 for share, _ in expected) < 57


def test_a_part_and_a_whole_contain_each_other():
    part, whole = list(range(10)), list(range(100))
    for documents, text in (([part], whole), ([whole], part)):
        heldout = prepared(map(set, documents))
        assert nearest_of(heldout, [text], "containment", 0.5) == [(1.0, 0)]
        assert nearest_of(heldout, [text], "jaccard", 0.5) == [(0.0, 0)]
        assert nearest_of(heldout, [text], "jaccard", 0.1) == [(0.1, 0)]


def test_of_equally_near_documents_the_first_is_named():
    documents = [{1, 2, 8}, {1, 2, 9}, {1, 2, 3, 8}, {1, 2}]
    shares = [share_of_sets({1, 2, 3}, document, "jaccard") for document in documents]
    assert shares == [0.5, 0.5, 0.75, 2 / 3]
    assert nearest_of(prepared(documents), [[1, 2, 3]], "jaccard", 0.5) == [(0.75, 2)]
    assert nearest_of(prepared(documents[:2]), [[3, 2, 1, 1]], "jaccard", 0.5) == [(0.5, 0)]
    assert nearest_of(prepared(documents), [[1, 2, 3]], "containment", 0.5) == [(1.0, 2)]


@given(corpora())
def test_a_comparison_is_that_of_sets(corpus):
    documents, texts = corpus
    if not documents:
        return
    places = np.arange(len(texts)) % len(documents)
    overlaps = compare_with(prepared(map(set, documents)), shingles_of(texts), places)
    for row, (text, place) in enumerate(zip(texts, places, strict=True)):
        one, other = set(text), set(documents[place])
        assert overlaps.common[row] == len(one & other)
        assert overlaps.jaccard[row] == share_of_sets(one, other, "jaccard")
        assert overlaps.containment[row] == share_of_sets(one, other, "containment")


@given(
    st.integers(1, 500), st.integers(1, 500), st.floats(0.001, 1) | st.just(1 / 3), st.booleans()
)
def test_the_least_common_is_the_first_that_suffices(one, other, least, of_union):
    common = least_common(one, other, of_union, least)
    assert common >= 1
    assert share_of(common, one, other, of_union) >= least
    assert share_of(common - 1, one, other, of_union) < least
    assert common <= least_common(one, other + 1, of_union, least)


def test_texts_and_documents_without_shingles_are_near_nothing():
    assert nearest_of(prepared([]), [[1], []], "jaccard", 0.5) == [(0.0, 0)] * 2
    assert nearest_of(prepared([set(), set()]), [[1], []], "containment", 0.5) == [(0.0, 0)] * 2
    assert nearest_of(prepared([set(), {1}]), [[], [1]], "containment", 0.5) == [(0.0, 0), (1.0, 1)]


@pytest.mark.parametrize("least", [0, -1, 1.5, float("nan")])
def test_other_shares_are_refused(least):
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        nearest_of(prepared([{1}]), [[1]], "jaccard", least)
