"""Whether replicates of a group share their data order, and what an own order for each costs.

Sixteen replicates that are trained together may see the samples in one order, since sixteen orders cost
several times a small network's training. Where one order is unlucky all sixteen feel it: of twelve
groups of a short training three had no success and four 11 to 14 of 16. Then sixteen are not
worth sixteen, and no interval is right. So every replicate has an order of its own, unless that costs
much: more than twice the time and more than 2 ms. What is left of the danger, in long trainings of
small networks, is looked for in the outcomes (`clustered`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from whyfit.engine import cost
from whyfit.records.recipe import Recipe
from whyfit.records.study import Outcomes

SHUFFLING = 6e-9
"""Nominal seconds per sample and epoch that a replicate's own order costs, shuffling and gathering:
0.018 s for 16 replicates, 10 000 samples and 20 epochs."""


AFFORDABLE = 2e-3
"""Seconds for a replicate's own orders that are spent anyway: ten for a study of 5 000 replicates."""

CLUSTERED = 1e-4
"""Chance of groups as uneven as this among independent replicates, below which they are not."""


def kind(recipe: Recipe, samples: int) -> Literal["group", "replicate"]:
    """Own orders where they are cheap, or at most double the time."""
    if not recipe.shuffle:
        return "group"
    extra = SHUFFLING * recipe.epochs * samples
    own = extra <= max(AFFORDABLE, cost.seconds(recipe, samples, 16, cores=1) / 16)
    return "replicate" if own else "group"


def clustered(outcomes: Outcomes) -> bool:
    """Whether groups of 16 replicates differ in their successes more than independent starts would.

    The dispersion test of binomial counts (Pearson's chi-squared, as in Cochran 1954).
    """
    groups = outcomes.replicates // 16
    successes = outcomes.succeeded[: 16 * groups].reshape(groups, 16).sum(axis=1)
    share = successes.mean() / 16 if groups > 1 else 0.0
    if not 0.0 < share < 1.0:
        return False
    chi = float(np.sum((successes - 16 * share) ** 2) / (16 * share * (1.0 - share)))
    return float(stats.chi2.sf(chi, groups - 1)) < CLUSTERED


def seconds(recipe: Recipe, samples: int, replicates: int, cores: int | None = None) -> float:
    """Modelled time of training so many replicates, in the order they are given.

    On so many cores, or on all of this machine.
    """
    found = cost.seconds(recipe, samples, replicates, cores)
    if kind(recipe, samples) == "replicate":
        alone = cost.seconds(recipe, samples, 16, cores=1) / 16
        found *= 1.0 + SHUFFLING * recipe.epochs * samples / alone
    return found
