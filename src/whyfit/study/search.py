"""Searching for sets of changes that mend the fit, from both ends, on the selection seeds.

Up from the script: every change alone, then pairs. Down from all proposed changes at once: delta
debugging (Zeller & Hildebrandt 2002), taking out whatever is not needed, which finds sets of more
than two. What is found here is a candidate; it is judged on other seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Arm, Outcomes, arm
from whyfit.study.factors import FACTORS, compatible, joined
from whyfit.study.run import Laboratory

SINGLE = 32
"""Replicates of a change alone: enough to see a rate of a tenth (0.97 of the time) and a shifted
median."""

PAIR = 16
PROMISING_PAIR = 5
"""Successes of 16 from which a pair is looked at more closely: with a true rate of 0.7 fewer come in 1
of 3 000 pairs."""

CLOSER = 64
SLACK = 0.1
"""Distance below the target rate within which a candidate still goes to confirmation: two standard
deviations of a rate of 0.7 on 64 replicates are 0.11."""

LEVELS = 3
"""Levels of one combination of factors that go on to confirmation."""

SHARE_OF_BUDGET = {"singles": 0.25, "pairs": 0.3, "down": 0.1}


@dataclass(frozen=True)
class Found:
    """Candidate sets, best first; the best level of each factor; what was left out and why."""

    candidates: tuple[Arm, ...]
    best: dict[str, Change]
    notes: tuple[str, ...]


def search(laboratory: Laboratory) -> Found:
    """Candidates for sufficient sets."""
    notes: list[str] = []
    levels = _singles(laboratory, notes)
    plausible = _plausible(laboratory, levels)
    best = _best_levels(laboratory, levels)
    sufficient = {change for change in levels if _rate(laboratory, arm(change)) >= _bar(laboratory)}
    _pairs(laboratory, levels, plausible, sufficient, notes)
    if not any(_clearly_works(laboratory, change) for change in sufficient):
        # Beside one change that works, only sets of two could count, and all pairs were tried.
        _down(laboratory, best, plausible, sufficient)
    return Found(_candidates(laboratory), best, tuple(notes))


def _bar(laboratory: Laboratory) -> float:
    return laboratory.plan.target_rate - SLACK


def _clearly_works(laboratory: Laboratory, change: Change) -> bool:
    return _rate(laboratory, arm(change)) >= laboratory.plan.target_rate + SLACK


def _outcomes(laboratory: Laboratory, changes: Arm) -> Outcomes:
    return laboratory.outcomes(changes, "selection")


def _rate(laboratory: Laboratory, changes: Arm) -> float:
    return _outcomes(laboratory, changes).rate


def _allowance(laboratory: Laboratory, phase: str) -> float:
    return SHARE_OF_BUDGET[phase] * laboratory.plan.budget


def _affordable(
    laboratory: Laboratory, arms: Iterable[Arm], replicates: int, allowance: float
) -> tuple[list[Arm], list[Arm]]:
    """Arms that fit an allowance in the order given, and those that do not."""
    chosen, left_out = [], []
    for changes in arms:
        price = laboratory.cost(changes, replicates)
        if price <= allowance:
            chosen.append(changes)
            allowance -= price
        else:
            left_out.append(changes)
    return chosen, left_out


def _singles(laboratory: Laboratory, notes: list[str]) -> list[Change]:
    singles = [arm(change) for change in laboratory.plan.levels]
    replicates = SINGLE
    allowance = _allowance(laboratory, "singles")
    if sum(laboratory.cost(each, SINGLE) for each in singles) > allowance:
        replicates = PAIR
    chosen, left_out = _affordable(laboratory, singles, replicates, allowance)
    if left_out:
        names = ", ".join(str(change) for each in left_out for change in each)
        notes.append(f"not tried, they would take more than the budget: {names}")
    laboratory.run({BASELINE: 2 * replicates}, "selection", "the script as it is")
    laboratory.run(dict.fromkeys(chosen, replicates), "selection", "one change at a time")
    return [each[0] for each in chosen]


def _plausible(laboratory: Laboratory, levels: list[Change]) -> list[Change]:
    """Changes that some finding proposes, or that moved the outcomes when made alone."""
    baseline = _outcomes(laboratory, BASELINE)
    return [
        change
        for change in levels
        if change in laboratory.plan.proposed
        or _moved(_outcomes(laboratory, arm(change)), baseline)
    ]


def _moved(changed: Outcomes, baseline: Outcomes) -> bool:
    """Whether the successes, the median or the best tenth are visibly better than the baseline's."""
    if changed.rate >= baseline.rate + 0.1:
        return True
    with np.errstate(invalid="ignore"):
        better_median = changed.median <= 0.8 * baseline.median
        tenth, usual = (
            np.quantile(each.unexplained, 0.1, method="lower") for each in (changed, baseline)
        )
        return bool(better_median or tenth <= 0.5 * usual)


def _best_levels(laboratory: Laboratory, levels: list[Change]) -> dict[str, Change]:
    """For each factor the level to combine with others: a proposed one if any, then the best alone."""

    def merit(change: Change) -> tuple[bool, float, float]:
        outcomes = _outcomes(laboratory, arm(change))
        return (change in laboratory.plan.proposed, outcomes.rate, -outcomes.median)

    best: dict[str, Change] = {}
    for factor in FACTORS:
        options = [change for change in levels if change.factor == factor.name]
        if options:
            best[factor.name] = max(options, key=merit)
    return best


def _pairs(
    laboratory: Laboratory,
    levels: list[Change],
    plausible: list[Change],
    sufficient: set[Change],
    notes: list[str],
) -> None:
    """All pairs with at least one plausible member, the likeliest first, then a closer look.

    Where a factor clearly works alone, it is paired only as findings propose (see `minimal_sets`).
    """
    proposed = set(laboratory.plan.proposed)
    alone = {change.factor for change in sufficient if _clearly_works(laboratory, change)}
    pairs = [
        pair
        for pair in combinations(levels, 2)
        if compatible(*pair)
        and not sufficient & set(pair)
        and (pair[0] in plausible or pair[1] in plausible)
        and (proposed >= set(pair) or not alone & {change.factor for change in pair})
    ]
    pairs.sort(
        key=lambda pair: (
            -sum(change in plausible for change in pair),
            laboratory.cost(arm(*pair), PAIR),
        )
    )
    chosen, left_out = _affordable(
        laboratory, (arm(*pair) for pair in pairs), PAIR, _allowance(laboratory, "pairs")
    )
    if left_out:
        notes.append(
            f"{len(left_out)} of {len(pairs)} pairs of changes were not tried: "
            "they would take more than the budget"
        )
    laboratory.run(dict.fromkeys(chosen, PAIR), "selection", "two changes at a time")
    _look_closer(laboratory, chosen)


def _look_closer(laboratory: Laboratory, arms: Iterable[Arm]) -> None:
    promising = [
        changes for changes in arms if _outcomes(laboratory, changes).rate >= PROMISING_PAIR / PAIR
    ]
    laboratory.run(dict.fromkeys(promising, CLOSER), "selection", "promising pairs again")


def _down(
    laboratory: Laboratory,
    best: dict[str, Change],
    plausible: list[Change],
    sufficient: set[Change],
) -> None:
    """From all plausible changes at once, take out what is not needed, the least needed first."""
    members = [
        change for change in best.values() if change in plausible and change not in sufficient
    ]
    current = arm(*members)
    allowance = _allowance(laboratory, "down")
    if len(current) < 3 or laboratory.cost(current, CLOSER) > allowance:
        return
    laboratory.run({current: CLOSER}, "selection", "all proposed changes at once")
    while len(current) > 1 and _rate(laboratory, current) >= _bar(laboratory):
        smaller = [tuple(change for change in current if change != out) for out in current]
        if sum(laboratory.cost(each, CLOSER) for each in smaller) > allowance:
            return
        allowance -= sum(laboratory.cost(each, CLOSER) for each in smaller)
        laboratory.run(dict.fromkeys(smaller, CLOSER), "selection", "taking out what is not needed")
        current = max(smaller, key=lambda each: _rate(laboratory, each))


def _candidates(laboratory: Laboratory) -> tuple[Arm, ...]:
    """Arms near or above the target rate that hold no smaller such arm: the smallest first, then those
    that remove the most observed faults, then those that succeed most.

    Sets with more than one change beyond the fewest that clearly work could not count; of each
    combination of factors the LEVELS best go on.
    """
    good = [
        outcomes
        for outcomes in laboratory.everything()
        if outcomes.phase == "selection" and outcomes.arm and outcomes.rate >= _bar(laboratory)
    ]
    clear = {each.arm for each in good if each.rate >= laboratory.plan.target_rate + SLACK}
    most = min((len(each) for each in clear), default=99) + 1
    minimal = [
        each
        for each in good
        if len(each.arm) <= most and not any(set(other) < set(each.arm) for other in clear)
    ]
    proposed = laboratory.plan.proposed
    minimal.sort(
        key=lambda each: (
            len(each.arm),
            -sum(change in proposed for change in each.arm),
            -each.rate,
            each.median,
        )
    )
    taken: Counter[tuple[str, ...]] = Counter()
    candidates = []
    for each in minimal:
        combination = tuple(change.factor for change in each.arm)
        taken[combination] += 1
        if taken[combination] <= LEVELS:
            candidates.append(each.arm)
    return tuple(candidates)


def with_one_more(changes: Arm, others: Iterable[Change]) -> list[Arm]:
    """The arm with each other change added that is of a factor it does not hold yet."""
    return [joined(changes, arm(other)) for other in others if compatible(*changes, other)]
