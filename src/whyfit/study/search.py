"""Searching for sets of changes that mend the fit, from both ends, on the selection seeds.

Up from the script: every change alone, then pairs, and larger sets where no pair works. Down from
all proposed changes at once: delta debugging (Zeller & Hildebrandt 2002), taking out whatever is
not needed, which finds sets of more than two. What is found here is a candidate; it is judged on
other seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Arm, Outcomes, Plan, arm
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

NEARLY_ALWAYS = 0.9
"""Rate on the selection seeds from which a proposed change alone makes pairs pointless: with a true rate
of 0.7 so many of 32 succeed once in 100 times."""

LEVELS = 3
"""Levels of one combination of factors that go on to confirmation."""

BEAM = 4
"""Sets of one size that are tried with one more change."""

LARGEST = 5
"""Most changes in a set: nobody calls more a fix."""

SHARE_OF_BUDGET = {"singles": 0.2, "pairs": 0.16, "down": 0.1, "grow": 0.12, "closer": 0.08}
"""What is left is for judging on fresh seeds; "closer" is for each closer look."""

MOST_CLOSER = 8
"""Promising sets of one size that are looked at more closely, the best first."""


@dataclass(frozen=True)
class Found:
    """Candidate sets, best first, and what was left out and why."""

    candidates: tuple[Arm, ...]
    notes: tuple[str, ...]


def search(laboratory: Laboratory) -> Found:
    """Candidates for sufficient sets."""
    notes: list[str] = []
    levels = _singles(laboratory, notes)
    plausible = _plausible(laboratory, levels)
    best = _best_levels(laboratory, levels)
    alone = {change for change in levels if _clearly_works(laboratory, change)}
    nearly = {each for each in levels if _rate(laboratory, arm(each)) >= bar(laboratory)}
    _pairs(laboratory, levels, plausible, nearly if alone else set(), notes)
    if not alone:
        # Beside one change that works only sets of two could count, and these are the pairs.
        _down(laboratory, best, plausible, nearly)
    if not _works(laboratory, most=3):
        _grow(laboratory, levels)
    return Found(_candidates(laboratory), tuple(notes))


def bar(laboratory: Laboratory) -> float:
    """Success rate on the selection seeds from which a set goes on to confirmation."""
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
        price = laboratory.price((changes,), replicates, "selection")
        if price <= allowance:
            chosen.append(changes)
            allowance -= price
        else:
            left_out.append(changes)
    return chosen, left_out


def _singles(laboratory: Laboratory, notes: list[str]) -> list[Change]:
    singles = [arm(change) for change in _each_fault_first(laboratory.plan)]
    replicates = SINGLE
    allowance = _allowance(laboratory, "singles")
    if sum(laboratory.cost(each, SINGLE) for each in singles) > allowance:
        replicates = PAIR
    chosen, left_out = _affordable(laboratory, singles, replicates, allowance)
    if left_out:
        names = ", ".join(str(change) for each in left_out for change in each)
        notes.append(f"not tried, they would take more than the budget: {names}")
    chosen.sort(key=lambda each: laboratory.plan.levels.index(each[0]))
    laboratory.run({BASELINE: 2 * replicates}, "selection", "the script as it is")
    laboratory.run(dict.fromkeys(chosen, replicates), "selection", "one change at a time")
    return [each[0] for each in chosen]


def _each_fault_first(plan: Plan) -> list[Change]:
    """The changes alone in the order in which a budget is spent on them: the first that is proposed
    against each fault, since a fault of which nothing is tried stays open, then the order of the plan.
    """
    first: dict[str, Change] = {}
    for claim in plan.claims:
        first.setdefault(claim.rule, claim.change)
    return list(dict.fromkeys((*first.values(), *plan.levels)))


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
    if "optimizer" in best and "learning_rate" in best:  # one rate is enough
        worse = min(best["optimizer"], best["learning_rate"], key=merit)
        del best[worse.factor]
    return best


def _pairs(
    laboratory: Laboratory,
    levels: list[Change],
    plausible: list[Change],
    sufficient: set[Change],
    notes: list[str],
) -> None:
    """All pairs with at least one plausible member, the likeliest first, then a closer look.

    Only those that could count (see `judging.sets.counting_sets`): where one change clearly works
    alone, pairs of what findings propose, without what is `sufficient`; where that one is itself
    proposed, none.
    Where none clearly works, what is near the target rate may yet miss it on fresh seeds, and then a
    pair that holds it is what works: nothing is left out.
    """
    proposed = set(laboratory.plan.proposed)
    alone = {change for change in sufficient if _clearly_works(laboratory, change)}
    if any(_rate(laboratory, arm(change)) >= NEARLY_ALWAYS for change in alone & proposed):
        return
    pairs = [
        pair
        for pair in combinations(levels, 2)
        if compatible(*pair)
        and not sufficient & set(pair)
        and (pair[0] in plausible or pair[1] in plausible)
        and (proposed >= set(pair) or not alone)
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
    promising = [each for each in arms if _rate(laboratory, each) >= PROMISING_PAIR / PAIR]
    promising.sort(key=lambda each: (-_rate(laboratory, each), laboratory.cost(each, PAIR)))
    chosen, _left_out = _affordable(
        laboratory, promising[:MOST_CLOSER], CLOSER, _allowance(laboratory, "closer")
    )
    laboratory.run(dict.fromkeys(chosen, CLOSER), "selection", "promising sets again")


def _down(
    laboratory: Laboratory,
    best: dict[str, Change],
    plausible: list[Change],
    sufficient: set[Change],
) -> None:
    """From all plausible changes at once, take out what is not needed.

    Where these together do not work, from the best level of every factor.
    """
    likely = [each for each in best.values() if each in plausible and each not in sufficient]
    every = [each for each in best.values() if each not in sufficient]
    allowance = _allowance(laboratory, "down")
    for members in dict.fromkeys((arm(*likely), arm(*every))):
        price = laboratory.price((members,), PAIR, "selection")
        if len(members) < 3 or price > allowance:
            continue
        allowance -= price
        laboratory.run({members: PAIR}, "selection", "all proposed changes at once")
        if _rate(laboratory, members) >= bar(laboratory):
            _take_out(laboratory, members, allowance, set(likely))
            return


def _take_out(laboratory: Laboratory, current: Arm, allowance: float, likely: set[Change]) -> None:
    """Delta debugging: leave out ever smaller chunks of the changes, as long as what is left works.

    The chunks with what nothing speaks for, and with what makes training longest, go first.
    """

    def merit(change: Change) -> tuple[bool, float]:
        return (change in likely, -laboratory.cost(arm(change), PAIR))

    chunks = 2
    while len(current) > 1:
        ordered = sorted(current, key=merit)
        size = -(-len(ordered) // chunks)
        for first in range(0, len(ordered), size):
            rest = arm(*ordered[:first], *ordered[first + size :])
            price = laboratory.price((rest,), PAIR, "selection")
            if not rest or price > allowance:
                continue
            allowance -= price
            laboratory.run({rest: PAIR}, "selection", "taking out what is not needed")
            if _rate(laboratory, rest) >= bar(laboratory):
                current, chunks = rest, max(2, chunks - 1)
                break
        else:
            if size == 1:
                break
            chunks = min(2 * chunks, len(current))
    _look_closer(laboratory, (current,))


def _grow(laboratory: Laboratory, levels: list[Change]) -> None:
    """Where nothing works yet: the best pairs with a third change, the best of these with a fourth."""
    allowance = _allowance(laboratory, "grow")
    for size in range(3, LARGEST + 1):
        tried = [
            each
            for each in laboratory.everything()
            if each.phase == "selection" and len(each.arm) == size - 1
        ]
        tried.sort(key=lambda each: (-each.rate, each.median))
        larger = dict.fromkeys(
            grown for each in tried[:BEAM] for grown in with_one_more(each.arm, levels)
        )
        chosen, _left_out = _affordable(laboratory, larger, PAIR, allowance)
        if not chosen:
            return
        allowance -= laboratory.price(chosen, PAIR, "selection")
        laboratory.run(dict.fromkeys(chosen, PAIR), "selection", f"{size} changes at a time")
        _look_closer(laboratory, chosen)
        if _works(laboratory, most=size + 1):
            return


def _works(laboratory: Laboratory, most: int) -> bool:
    """Whether a set of at most so many changes works."""
    return any(
        0 < len(each.arm) <= most and each.phase == "selection" and each.rate >= bar(laboratory)
        for each in laboratory.everything()
    )


def _candidates(laboratory: Laboratory) -> tuple[Arm, ...]:
    """Arms near or above the target rate that hold no smaller such arm: the smallest first, then those
    that remove the most observed faults, then those that succeed most.

    Sets that could not count beside those that clearly work (see `judging.sets.counting_sets`) are
    left out; of each combination of factors the LEVELS best go on.
    """
    good = [
        outcomes
        for outcomes in laboratory.everything()
        if outcomes.phase == "selection" and outcomes.arm and outcomes.rate >= bar(laboratory)
    ]
    clear = {each.arm for each in good if each.rate >= laboratory.plan.target_rate + SLACK}
    proposed = set(laboratory.plan.proposed)
    fewest = min((len(each) for each in clear), default=99)
    sure = [each.arm for each in good if each.rate >= NEARLY_ALWAYS]
    repair = min((len(each) for each in sure if proposed >= set(each)), default=99)
    minimal = [
        each
        for each in good
        if len(each.arm) <= (min(fewest + 1, repair) if proposed >= set(each.arm) else fewest)
        and not any(set(other) < set(each.arm) for other in clear)
    ]
    minimal.sort(
        key=lambda each: (
            len(each.arm),
            -sum(change in proposed for change in each.arm),
            -round(each.rate, 1),
            laboratory.cost(each.arm, PAIR),
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
