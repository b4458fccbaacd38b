"""The learning rate against its formula."""

from __future__ import annotations

import math

import pytest

from data_contracts.errors import UsageError
from training.schedule import Schedule


def test_the_rates_of_a_short_run_are_those_of_the_formula() -> None:
    schedule = Schedule(peak=1.0, num_steps=7, warm_up_steps=3, final_ratio=0.2)
    cosines = [0.2 + 0.8 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(5)]
    expected = [0.25, 0.5, 0.75, *cosines]
    assert [schedule(step) for step in range(8)] == pytest.approx(expected, abs=1e-15)
    assert schedule(3) == 1.0
    assert schedule(7) == schedule(100) == pytest.approx(0.2)


def test_a_plateau_ends_as_published() -> None:
    schedule = Schedule(2.0, num_steps=20, warm_up_steps=4, final_ratio=0.1, kind="wsd")
    assert schedule.decay_steps == 4
    heights = [1 - math.sqrt(k / 4) for k in range(5)]
    assert [schedule(step) for step in range(4)] == pytest.approx([0.4, 0.8, 1.2, 1.6])
    assert {schedule(step) for step in range(4, 17)} == {2.0}
    assert [schedule(step) for step in range(16, 21)] == pytest.approx(
        [2 * (0.1 + 0.9 * height) for height in heights], abs=1e-12
    )
    longer = Schedule(2.0, num_steps=40, warm_up_steps=4, final_ratio=0.1, kind="wsd")
    assert [longer(step) for step in range(17)] == [schedule(step) for step in range(17)]


def test_a_plateau_that_does_not_fit_is_refused() -> None:
    Schedule(1.0, 10, 5, kind="wsd", decay_ratio=0.5)
    with pytest.raises(UsageError, match=r"warm_up_steps is 6 and decay_ratio 0.5, more than the"):
        Schedule(1.0, 10, 6, kind="wsd", decay_ratio=0.5)


def test_without_warm_up_it_begins_at_the_peak() -> None:
    assert Schedule(peak=3e-4, num_steps=5, warm_up_steps=0)(0) == 3e-4


@pytest.mark.parametrize("warm_up_steps", [-1, 5, 6])
def test_a_warm_up_that_fills_the_run_is_refused(warm_up_steps: int) -> None:
    with pytest.raises(UsageError, match=f"warm_up_steps is {warm_up_steps}; give 0 to 4"):
        Schedule(peak=1.0, num_steps=5, warm_up_steps=warm_up_steps)
