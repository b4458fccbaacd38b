"""The order of rows: each once, never the same for another seed or epoch, the same for ever."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.shuffle import Order, Shuffle


@given(st.integers(1, 3000), st.integers(-(2**63), 2**64), st.integers(0, 1000))
def test_every_row_comes_once(num_rows: int, seed: int, epoch: int) -> None:
    rows = Shuffle(num_rows, seed, epoch).rows(np.arange(num_rows))
    assert sorted(rows.tolist()) == list(range(num_rows))


def test_any_positions_in_any_order_give_what_the_whole_gives() -> None:
    shuffle = Shuffle(1000, 5, 2)
    whole = shuffle.rows(np.arange(1000))
    some = np.array([999, 0, 500, 500, 3])
    assert shuffle.rows(some).tolist() == whole[some].tolist()


def test_orders_of_seeds_and_epochs_are_unrelated() -> None:
    num_rows = 1000
    orders = {
        (seed, epoch): Shuffle(num_rows, seed, epoch).rows(np.arange(num_rows))
        for seed in range(6)
        for epoch in range(6)
    }
    keys = sorted(orders)
    agree = [int((orders[a] == orders[b]).sum()) for a in keys for b in keys if a < b]
    assert len(agree) == 36 * 35 // 2
    assert max(agree) < 12  # Poisson of mean 1
    neighbours = [int((np.diff(order) == 1).sum()) for order in orders.values()]
    assert max(neighbours) < 12


def test_places_are_spread_evenly() -> None:
    counts = np.zeros((10, 10))
    for epoch in range(100):
        rows = Shuffle(1000, 0, epoch).rows(np.arange(1000))
        np.add.at(counts, (np.arange(1000) // 100, rows // 100), 1)
    chi_square = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_square < 81 + 6 * (2 * 81) ** 0.5


def test_the_order_is_the_one_of_the_first_release() -> None:
    assert Shuffle(10, 7, 1).rows(np.arange(10)).tolist() == [7, 9, 5, 0, 3, 2, 8, 4, 6, 1]


@given(st.integers(1, 3000), st.integers(0, 2**32), st.integers(0, 10**6), st.integers(1, 50))
def test_positions_go_on_through_epochs(num_rows: int, seed: int, first: int, many: int) -> None:
    positions = np.arange(first, first + many)
    expected = [
        int(Shuffle(num_rows, seed, position // num_rows).rows(np.array([position % num_rows]))[0])
        for position in positions.tolist()
    ]
    order = Order(num_rows, seed)
    assert order.rows(positions).tolist() == expected
    assert order.rows(positions[::-1]).tolist() == expected[::-1]
