"""Effects: rates with intervals, paired differences, Shapley values. Pure functions on outcomes.

Intervals are exact (Clopper & Pearson 1934), from scipy. Arms share their replicates' random numbers,
so differences are taken within replicates (McNemar 1947).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool
from scipy import stats

from whyfit.records.finding import Change
from whyfit.records.network import Array
from whyfit.records.study import Arm, Comparison, Interval, Outcomes, Shapley

CONFIDENCE = 0.95


def rate_interval(successes: int, replicates: int, confidence: float = CONFIDENCE) -> Interval:
    """Exact two-sided interval of a success rate.

    >>> rate_interval(0, 64)
    Interval(low=0.0, high=0.05600999784407937)
    """
    if replicates == 0:
        return Interval(0.0, 1.0)
    found = stats.binomtest(successes, replicates).proportion_ci(confidence, method="exact")
    return Interval(float(found.low), float(found.high))


def compare(with_: Outcomes, without: Outcomes, comparisons: int = 1) -> Comparison:
    """Paired difference of two arms over the replicates both have.

    The interval holds at 95 % for all `comparisons` together (Bonferroni). It is the adjusted Wald
    interval of Bonett & Price (2012, Statistics in Medicine 31, 3215) for paired proportions, whose
    coverage stays near the nominal from ten pairs on.
    """
    n = min(with_.replicates, without.replicates)
    yes, no = with_.succeeded[:n], without.succeeded[:n]
    gained, lost = int(np.sum(yes & ~no)), int(np.sum(no & ~yes))
    discordant = gained + lost
    return Comparison(
        with_.arm,
        without.arm,
        n,
        gained,
        lost,
        (gained - lost) / n,
        difference_interval(gained, lost, n, 1.0 - (1.0 - CONFIDENCE) / comparisons),
        float(stats.binomtest(gained, discordant).pvalue) if discordant else 1.0,
    )


def difference_interval(gained: int, lost: int, n: int, confidence: float) -> Interval:
    """Interval of (gained - lost) / n among n pairs (Bonett & Price 2012, equation 3)."""
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    middle = up - down
    half = z * float(np.sqrt((up + down - middle**2) / (n + 2)))
    return Interval(max(-1.0, middle - half), min(1.0, middle + half))


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
