"""Intervals that cover, Shapley values that add up."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyfit.records.finding import Change
from whyfit.records.study import Outcomes, arm
from whyfit.study.effects import compare, difference_interval, rate_interval, shapley

A, B, C = Change("activation", "tanh"), Change("units", "8"), Change("epochs", "10")


def outcomes(changes, succeeded) -> Outcomes:
    values = np.where(np.asarray(succeeded, dtype=bool), 0.01, 0.9)
    return Outcomes(arm(*changes), "confirmation", values, np.zeros(len(values)), 0.05)


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("n", [64, 512])
def test_rate_interval_covers(rate: float, n: int):
    random = np.random.default_rng(0)
    counts = random.binomial(n, rate, 2000)
    inside = [
        found.low <= rate <= found.high
        for found in (rate_interval(int(count), n) for count in counts)
    ]
    # Exact intervals cover at least 95 %; 2 000 draws scatter by half a percent.
    assert np.mean(inside) >= 0.94


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.02, 0.02), (0.1, 0.05), (0.5, 0.1)])
def test_difference_interval_covers(up: float, down: float):
    random = np.random.default_rng(0)
    draws = random.multinomial(64, [up, down, 1 - up - down], 3000)
    inside = []
    for gained, lost, _same in draws:
        found = difference_interval(int(gained), int(lost), 64, 0.95)
        inside.append(found.low <= up - down <= found.high)
    assert np.mean(inside) >= 0.935


def test_compare_pairs_replicates():
    with_ = outcomes([A], [1, 1, 1, 0, 0, 1])
    without = outcomes([], [0, 0, 1, 1, 0, 0])
    found = compare(with_, without)
    assert (found.gained, found.lost, found.replicates) == (3, 1, 6)
    assert found.difference == pytest.approx(2 / 6)
    assert found.interval.low < found.difference < found.interval.high
    # McNemar exact: 3 of 4 discordant pairs, two-sided binomial.
    assert found.p_value == pytest.approx(0.625)


def test_more_comparisons_widen_the_interval():
    with_, without = outcomes([A], [1] * 20 + [0] * 44), outcomes([], [0] * 64)
    one, many = compare(with_, without, 1), compare(with_, without, 20)
    assert many.interval.low < one.interval.low
    assert many.interval.high > one.interval.high


@given(st.lists(st.booleans(), min_size=8 * 32, max_size=8 * 32))
def test_shapley_values_add_up_to_the_whole(bits: list[bool]):
    table = np.array(bits).reshape(8, 32)
    subsets = [arm(*part) for size in range(4) for part in combinations((A, B, C), size)]
    found = shapley(
        arm(A, B, C),
        {subset: outcomes(subset, row) for subset, row in zip(subsets, table, strict=True)},
        resamples=20,
    )
    assert found is not None
    rates = {subset: row.mean() for subset, row in zip(subsets, table, strict=True)}
    total = sum(value for _change, value, _interval in found.values)
    assert total == pytest.approx(rates[arm(A, B, C)] - rates[()])


def test_shapley_of_a_pure_interaction():
    """Only both together work: half the credit each, and an interaction of the whole."""
    n = 64
    table = {(): 0, arm(A): 0, arm(B): 0, arm(A, B): 1}
    found = shapley(arm(A, B), {key: outcomes(key, [value] * n) for key, value in table.items()})
    assert found is not None
    assert [value for _c, value, _i in found.values] == pytest.approx([0.5, 0.5])
    assert [value for *_pair, value, _i in found.interactions] == pytest.approx([1.0])


def test_shapley_needs_every_subset():
    assert shapley(arm(A, B), {(): outcomes([], [0] * 4)}) is None
