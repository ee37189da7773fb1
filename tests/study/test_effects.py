"""Intervals that cover, Shapley values that add up."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.study.looks import coverage_at_all_looks
from whyfit.records.finding import Change
from whyfit.records.study import Outcomes, arm
from whyfit.study.effects import (
    ERROR_OF_A_LOOK,
    compare,
    difference_interval,
    rate_interval,
    score,
    shapley,
)

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


@pytest.mark.parametrize("n", [1, 3, 64, 512])
def test_rate_interval_is_that_of_clopper_and_pearson(n: int):
    for successes in {0, 1, n // 3, n - 1, n}:
        for confidence in (0.95, 0.9825):
            found = rate_interval(successes, n, confidence)
            exact = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
            assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_looking_four_times_costs_no_coverage():
    """The chance that any of the four intervals misses the rate, summed over all courses."""
    held = [coverage_at_all_looks(rate) for rate in np.linspace(0.002, 0.5, 40)]
    assert 0.95 <= min(held) < 0.955  # no less than promised, and no wider than need be


@pytest.mark.parametrize(
    ("up", "down"), [(0.0, 0.0), (0.02, 0.02), (0.1, 0.05), (0.1, 0.0), (0.14, 0.04)]
)
def test_difference_interval_covers(up: float, down: float):
    """Exact, over all outcomes of 64 pairs: both ends, at the confidence of one look and of sixty."""
    gained, lost = np.meshgrid(np.arange(65), np.arange(65), indexing="ij")
    possible = gained + lost <= 64
    pairs = np.stack([gained[possible], lost[possible]], axis=1)
    chance = stats.multinomial.pmf(
        np.column_stack([pairs, 64 - pairs.sum(axis=1)]), 64, [up, down, 1 - up - down]
    )
    pairs, chance = pairs[chance > 1e-7], chance[chance > 1e-7]
    for error in (ERROR_OF_A_LOOK, 0.05 / 60):
        found = [difference_interval(int(one), int(other), 64, 1 - error) for one, other in pairs]
        above = sum(p for p, each in zip(chance, found, strict=True) if each.low > up - down + 1e-9)
        below = sum(
            p for p, each in zip(chance, found, strict=True) if each.high < up - down - 1e-9
        )
        assert above + below <= 1.1 * error
        if up - down == pytest.approx(0.1):  # what refutes is an upper end below 0.10
            assert below <= error / 2
        if up == down:  # and what helps is a lower end above 0
            assert above <= error / 2


def test_difference_interval_is_that_of_its_score_test():
    for gained, lost, n in ((9, 16, 44), (0, 0, 64), (40, 0, 64), (3, 1, 512)):
        found = difference_interval(gained, lost, n, 0.95)
        assert score(gained, lost, n, found.low) == pytest.approx(1.96, abs=1e-3)
        assert score(gained, lost, n, found.high) == pytest.approx(-1.96, abs=1e-3)
        other = difference_interval(lost, gained, n, 0.95)
        assert (other.low, other.high) == pytest.approx((-found.high, -found.low))
    # Against no difference the score is McNemar's.
    assert score(9, 16, 44, 0.0) == pytest.approx((9 - 16) / np.sqrt(25))


def test_difference_interval_where_all_or_none_differ():
    assert difference_interval(64, 0, 64, 0.95).high == 1.0
    assert difference_interval(0, 64, 64, 0.95).low == -1.0
    nothing = difference_interval(0, 0, 64, 0.95)
    assert nothing.low == -nothing.high
    assert nothing.high < 0.1


def test_compare_pairs_replicates():
    with_ = outcomes([A], [1, 1, 1, 0, 0, 1])
    without = outcomes([], [0, 0, 1, 1, 0, 0])
    found = compare(with_, without)
    assert (found.gained, found.lost, found.replicates) == (3, 1, 6)
    assert found.difference == pytest.approx(2 / 6)
    assert found.interval.low < found.difference < found.interval.high
    # McNemar exact: 3 of 4 discordant pairs, two-sided binomial.
    assert found.p_value == pytest.approx(0.625)


def test_more_comparisons_widen_the_deciding_interval():
    with_, without = outcomes([A], [1] * 20 + [0] * 44), outcomes([], [0] * 64)
    one, many = compare(with_, without, 1), compare(with_, without, 20)
    assert many.interval == one.interval
    assert many.deciding.low < one.deciding.low < one.interval.low
    assert many.deciding.high > one.deciding.high > one.interval.high


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
