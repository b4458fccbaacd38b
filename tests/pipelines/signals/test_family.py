import numpy as np
import pytest

from data_contracts.errors import RecipeError
from pipelines.kernels.words import MAX_STOP_WORDS
from pipelines.signals.family import GOPHER_STOP_WORDS, SignalsConfig, divide


def test_division_by_nothing_is_zero():
    quotients = divide(np.array([1, 0, 5]), np.array([3, 0, 0]))
    assert quotients.tolist() == [1 / 3, 0.0, 0.0]
    assert quotients.dtype == np.float64


def test_default_stop_words_are_gophers_eight():
    assert SignalsConfig().stop_words == GOPHER_STOP_WORDS
    assert len(set(GOPHER_STOP_WORDS)) == 8


@pytest.mark.parametrize(
    ("stop_words", "message"),
    [
        (("two words",), "'two words'; give single words"),
        (("",), "''; give single words"),
        (("the,",), "'the,'; give single words"),
        (("the", "The"), "holds a word twice"),
        (tuple(f"w{number}" for number in range(MAX_STOP_WORDS + 1)), "give at most 63"),
    ],
)
def test_stop_words_that_cannot_work_are_refused(stop_words, message):
    with pytest.raises(RecipeError, match=message):
        SignalsConfig(stop_words)
    assert SignalsConfig(tuple(f"w{number}" for number in range(MAX_STOP_WORDS)))
