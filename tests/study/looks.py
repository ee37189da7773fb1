"""How often an interval holds at every look of a study, summed exactly over all courses.

That is its coverage under the most adverse stopping: a study that stops at the first look that misses.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

from whyfit.study.effects import ERROR_OF_A_LOOK, LOOKS, rate_interval


def coverage_at_all_looks(rate: float) -> float:
    """The chance that the intervals of all looks hold this success rate."""
    chance, before = np.array([1.0]), 0
    for n in LOOKS:
        steps = stats.binom.pmf(np.arange(n - before + 1), n - before, rate)
        chance, before = np.convolve(chance, steps), n
        low, high = _bounds(n)
        chance[(rate < low) | (rate > high)] = 0.0
    return float(chance.sum())


@cache
def _bounds(n: int) -> tuple[np.ndarray, np.ndarray]:
    found = [rate_interval(count, n, 1.0 - ERROR_OF_A_LOOK) for count in range(n + 1)]
    return np.array([each.low for each in found]), np.array([each.high for each in found])
