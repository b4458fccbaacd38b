"""The property of every family: its values are those of a plain Python oracle, text by text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from pipelines.kernels.decoded import text_batch
from pipelines.signals.family import Family, SignalsConfig


@pytest.fixture
def agree():
    """Check a family against an oracle ``text -> {signal: value}``, exactly, in every layout.

    Returns for each signal the number of texts where it was not 0, so that a test can see that it
    was put to the test.
    """

    def check_family(
        family: Family, oracle: Callable[[str], dict], config: SignalsConfig | None = None
    ) -> Counter:
        config = config or SignalsConfig()
        touched = Counter({field.name: 0 for field in family.fields})

        @example(ORDINARY_TEXTS)
        @given(HOSTILE_TEXTS)
        def check(texts):
            expected = [oracle(text) for text in texts]
            for array in as_arrays(texts):
                values = family.measure(text_batch(array), config)
                assert list(values) == [field.name for field in family.fields]
                for name, column in values.items():
                    assert column.tolist() == [row[name] for row in expected], name
            for row in expected:
                touched.update(name for name, value in row.items() if value)

        check()
        return touched

    return check_family


@pytest.fixture
def measure_one():
    """Measure one text with one family, as a dict of Python values."""

    def measure(family: Family, text: str, config: SignalsConfig | None = None) -> dict:
        values = family.measure(text_batch(pa.array([text])), config or SignalsConfig())
        return {name: column.tolist()[0] for name, column in values.items()}

    return measure
