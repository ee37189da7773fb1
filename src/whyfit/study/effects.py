"""Effects: rates with intervals, paired differences, Shapley values. Pure functions on outcomes.

Intervals of rates are exact (Clopper & Pearson 1934), from scipy. Arms share their replicates' random
numbers, so differences are taken within replicates (McNemar 1947).

A study looks at its numbers after 64, 128, 256 and 512 replicates and stops when they decide. What
decides is an interval that holds at all four looks at once, and so at whichever was the last, however
it was chosen (repeated confidence intervals: Jennison & Turnbull 1989, Journal of the Royal Statistical
Society B 51, 305). What is shown is the plain 95 % interval of the counts, as anybody would work it out:
benchmarks/study_coverage.py counts how often it holds where studies stop (docs/how-we-know.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from math import comb, sqrt
from typing import cast

import numpy as np
from jaxtyping import Bool
from scipy import optimize, special, stats

from whyfit.records.finding import Change
from whyfit.records.network import Array
from whyfit.records.study import Arm, Comparison, Interval, Outcomes, Shapley

CONFIDENCE = 0.95

LOOKS = (64, 128, 256, 512)
"""Replicates after which a study looks at its numbers and may stop."""

ERROR_OF_A_LOOK = 0.0175
"""Error of the interval of each look that makes at most 5 % for all four together, in the way of Pocock
(1977, Biometrika 64, 191): exact intervals with this error miss no success rate at any look more often
than that (summed exactly in tests/study/test_effects.py). Bonferroni's 0.0125 would miss 3.6 %."""


@lru_cache(maxsize=65536)
def rate_interval(successes: int, replicates: int, confidence: float = CONFIDENCE) -> Interval:
    """Exact two-sided interval of a success rate.

    >>> round(rate_interval(0, 64).high, 6)  # 1 - 0.025 ** (1 / 64)
    0.056009
    """
    if replicates == 0:
        return Interval(0.0, 1.0)
    # The quantiles of beta distributions that scipy's binomtest searches for, 500 times as fast.
    failures, tail = replicates - successes, (1.0 - confidence) / 2
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1.0 - tail) if failures else 1.0
    return Interval(float(low), float(high))


def outcome_interval(outcomes: Outcomes) -> Interval:
    """The 95 % interval of an arm's success rate, as it is shown."""
    return rate_interval(outcomes.successes, outcomes.replicates)


def deciding_interval(outcomes: Outcomes) -> Interval:
    """Interval of an arm's success rate that holds at all looks at once: what decisions rest on."""
    return rate_interval(outcomes.successes, outcomes.replicates, 1.0 - ERROR_OF_A_LOOK)


def compare(with_: Outcomes, without: Outcomes, comparisons: int = 1) -> Comparison:
    """Paired difference of two arms over the replicates both have.

    The deciding interval holds at 95 % at all looks, and for all `comparisons` together (Bonferroni).
    The p-value is McNemar's exact one, for this comparison at this look.
    """
    n = min(with_.replicates, without.replicates)
    yes, no = with_.succeeded[:n], without.succeeded[:n]
    gained, lost = int(np.sum(yes & ~no)), int(np.sum(no & ~yes))
    return Comparison(
        with_.arm,
        without.arm,
        n,
        gained,
        lost,
        (gained - lost) / n,
        difference_interval(gained, lost, n),
        difference_interval(gained, lost, n, 1.0 - error_of_a_look(comparisons)),
        mcnemar(gained, lost),
    )


@lru_cache(maxsize=65536)
def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p-value: as many heads and tails of a fair coin, or more uneven.

    >>> mcnemar(3, 1)
    0.625
    """
    return min(1.0, 2.0 * float(stats.binom.cdf(min(gained, lost), gained + lost, 0.5)))


def error_of_a_look(comparisons: int) -> float:
    """Error that each look at each of several comparisons may take, so that all take 5 %."""
    if comparisons <= 1:
        return ERROR_OF_A_LOOK
    return (1.0 - CONFIDENCE) / (comparisons * len(LOOKS))


def clearly_differs(comparison: Comparison, comparisons: int) -> bool:
    """Whether McNemar's exact test tells the arms apart, one of so many comparisons and four looks."""
    return comparison.p_value <= error_of_a_look(comparisons)


@lru_cache(maxsize=65536)
def difference_interval(gained: int, lost: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Interval of (gained - lost) / n among n pairs: the score interval of Tango (1998, Statistics in
    Medicine 17, 891), which holds every difference that its score test does not reject.

    >>> found = difference_interval(43, 0, 53)
    >>> round(found.low, 4), round(found.high, 4)
    (0.6864, 0.8941)
    """
    critical = float(stats.norm.ppf(0.5 + confidence / 2))
    return Interval(*(_bound(gained, lost, n, sign, critical) for sign in (-1.0, 1.0)))


def _bound(gained: int, lost: int, n: int, sign: float, critical: float) -> float:
    """The last difference on one side that the score test does not reject."""
    # The score falls from the observed difference, where it is 0, to beyond the bound.
    observed = (gained - lost) / n
    if observed == sign:
        return sign
    asked = (gained, lost, n, sign, critical)
    root = optimize.brentq(_excess, observed, sign * (1.0 - 1e-12), args=asked)
    return float(cast(float, root))


def _excess(
    difference: float, gained: int, lost: int, n: int, sign: float, critical: float
) -> float:
    return sign * score(gained, lost, n, difference) + critical


def score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's score: how many standard deviations the observed difference lies above a supposed one.

    The variance is that under the supposed difference, with the likeliest rate of the lost (Tango 1998,
    equations 3 and 4).
    """
    a = 2.0 * n
    b = -gained - lost + (2.0 * n - gained + lost) * difference
    c = -lost * difference * (1.0 - difference)
    likeliest = (sqrt(max(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    variance = n * (2.0 * likeliest + difference * (1.0 - difference))
    return (gained - lost - n * difference) / sqrt(max(variance, 1e-12))


def p_of_no_less(comparison: Comparison, least: float) -> float:
    """One-sided p-value of the supposition that a change raises the rate by at least so much, for all
    looks together.
    """
    found = score(comparison.gained, comparison.lost, comparison.replicates, least)
    return min(1.0, float(stats.norm.cdf(found)) * (1.0 - CONFIDENCE) / ERROR_OF_A_LOOK)


def shapley(
    changes: Arm, outcomes: Mapping[Arm, Outcomes], resamples: int = 1000
) -> Shapley | None:
    """Exact Shapley values (Shapley 1953) and pairwise interaction indices (Grabisch & Roubens 1999) of
    the success rate over a full factorial, with paired bootstrap intervals over replicates.

    `outcomes` must hold every subset of `changes`; None if one is missing.
    """
    subsets = [
        tuple(sorted(subset))
        for size in range(len(changes) + 1)
        for subset in combinations(changes, size)
    ]
    if not changes or any(subset not in outcomes for subset in subsets):
        return None
    n = min(outcomes[subset].replicates for subset in subsets)
    table = np.stack([outcomes[subset].succeeded[:n] for subset in subsets])
    weights, names = _weights(changes, subsets)
    point = weights @ table.mean(axis=1)
    low, high = _bootstrap(table, weights, resamples)
    entries = [
        (name, float(value), Interval(float(a), float(b)))
        for name, value, a, b in zip(names, point, low, high, strict=True)
    ]
    return Shapley(
        changes,
        tuple((name[0], value, interval) for name, value, interval in entries if len(name) == 1),
        tuple((*name, value, interval) for name, value, interval in entries if len(name) == 2),
    )


def _weights(changes: Arm, subsets: list[Arm]) -> tuple[Array, list[tuple[Change, ...]]]:
    """One row per value or interaction, one column per subset: both are linear in the rates."""
    count = len(changes)
    index = {subset: at for at, subset in enumerate(subsets)}
    names = [(change,) for change in changes] + list(combinations(changes, 2))
    rows = np.zeros((len(names), len(subsets)))
    for row, members in enumerate(names):
        others = [change for change in changes if change not in members]
        for size in range(len(others) + 1):
            weight = 1.0 / (comb(len(others), size) * (count - len(members) + 1))
            for rest in combinations(others, size):
                for taken in range(len(members) + 1):
                    for part in combinations(members, taken):
                        sign = (-1) ** (len(members) - taken)
                        rows[row, index[tuple(sorted((*rest, *part)))]] += sign * weight
    return rows, names


def _bootstrap(
    table: Bool[Array, "subsets replicates"], weights: Array, resamples: int
) -> tuple[Array, Array]:
    # Each replicate's contribution to every value; the value is their mean.
    contributions = weights @ table
    if np.all(np.ptp(contributions, axis=1) == 0.0):
        return contributions[:, 0], contributions[:, 0]
    result = stats.bootstrap(
        tuple(contributions),
        lambda *rows, axis: np.stack([np.mean(row, axis=axis) for row in rows]),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return result.confidence_interval.low, result.confidence_interval.high
