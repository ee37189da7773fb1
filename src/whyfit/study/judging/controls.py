"""Controls: the untouched script, all combinations of what counts, and random changes."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Shapley, arm
from whyfit.study.effects import deciding_interval, shapley
from whyfit.study.factors import compatible
from whyfit.study.judging.judged import Judged
from whyfit.study.judging.rounds import REFUTED_BELOW
from whyfit.study.run import Laboratory

BASELINE_ROUNDS, DEAR_BASELINE = (128, 512), 64


MOST_FACTORIAL = 4


FACTORIAL = 64


RANDOM_SETS = 16


def train_baseline(laboratory: Laboratory) -> None:
    """The untouched recipe on fresh seeds: what luck alone gives.

    Rounds are added until the rate is clearly above the target, or below what could be called luck. One
    that would take a fifth of the budget is left out; of the first, half is done all the same.
    """
    target = laboratory.plan.target_rate
    for replicates in BASELINE_ROUNDS:
        price = laboratory.price((BASELINE,), replicates, "confirmation")
        if price > 0.2 * laboratory.plan.budget:
            if replicates > BASELINE_ROUNDS[0]:
                return
            replicates = DEAR_BASELINE
        laboratory.run({BASELINE: replicates}, "confirmation", "the script as it is, fresh seeds")
        interval = deciding_interval(laboratory.outcomes(BASELINE, "confirmation"))
        if interval.low > target or interval.high < REFUTED_BELOW:
            return


def factorial(laboratory: Laboratory, judged: Judged) -> Shapley | None:
    """Shapley values over all changes of the sets that count, if they can be made together."""
    changes: list[Change] = []
    for held in sorted(judged.representatives, key=len):
        for change in held:
            if compatible(*changes, change) and len(changes) < MOST_FACTORIAL:
                changes.append(change)
    if len(changes) < 2:
        return None
    full = arm(*changes)
    subsets = [arm(*part) for size in range(len(full) + 1) for part in combinations(full, size)]
    if sum(laboratory.cost(each, FACTORIAL) for each in subsets) > laboratory.remaining:
        return None
    laboratory.run(dict.fromkeys(subsets, FACTORIAL), "confirmation", "all combinations")
    return shapley(full, {each: laboratory.outcomes(each, "confirmation") for each in subsets})


def random_changes(laboratory: Laboratory, size: int) -> tuple[int, int] | None:
    """Successes and replicates of sets of `size` random changes: or None.

    A control: would anything have helped? None if no such set is possible or affordable.
    """
    changes = laboratory.plan.levels
    possible = [arm(*part) for part in combinations(changes, size) if compatible(*part)]
    if not possible:
        return None
    random = np.random.default_rng(laboratory.plan.confirmation_seed)
    picked = random.permutation(len(possible))[:RANDOM_SETS]
    arms = [possible[at] for at in picked]
    while arms and sum(laboratory.cost(each, 16) for each in arms) > laboratory.remaining:
        arms.pop()
    if not arms:
        return None
    laboratory.run(dict.fromkeys(arms, 16), "confirmation", "random changes, as a control")
    outcomes = [laboratory.outcomes(each, "confirmation") for each in arms]
    successes = sum(int(np.sum(each.succeeded[:16])) for each in outcomes)
    return successes, 16 * len(outcomes)
