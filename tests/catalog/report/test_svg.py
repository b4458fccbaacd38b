from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from catalog.report.svg import Scale, log_ticks, nice_ticks, tick_text


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e6), st.integers(1, 9))
def test_nice_ticks_are_round_evenly_apart_and_inside(
    low: float, extent: float, wanted: int
) -> None:
    ticks = nice_ticks(low, low + extent, wanted)
    assert len(ticks) <= wanted + 1
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=None)
    assert all(low - extent * 1e-6 <= tick <= low + extent * (1 + 1e-6) for tick in ticks)
    if step:
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-6)
        assert min(abs(mantissa - round_) for round_ in (1, 2, 5, 10)) < 1e-3


@given(st.floats(1e-9, 1e9), st.floats(1.01, 1e9))
def test_log_ticks_are_inside(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)
    assert len(ticks) <= 20
    if factor >= 100:
        assert len(ticks) >= 2


@given(st.floats(-5, 5), st.floats(0.1, 5), st.floats(0, 1))
def test_a_scale_is_linear_between_its_ends(low: float, extent: float, ratio: float) -> None:
    scale = Scale(low, low + extent, 100, 40)
    assert math.isclose(scale(low + ratio * extent), 100 - 60 * ratio, abs_tol=1e-6)


def test_a_scale_of_no_extent_maps_to_its_middle() -> None:
    assert Scale(3, 3, 0, 10)(3) == 5


def test_tick_texts_are_short() -> None:
    values = (0.0, 0.05, 2.5, 12.0, 1000.0, 20_000.0, 1e-4, 5e-4, -0.1)
    expected = ["0", "0.05", "2.5", "12", "1k", "20k", "1e−4", "5e−4", "−0.1"]
    assert [tick_text(value) for value in values] == expected
