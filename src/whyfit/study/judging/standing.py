"""How arms stand to the target rate on fresh seeds, and to each other."""

from __future__ import annotations

from collections.abc import Iterable

from whyfit.records.finding import Change
from whyfit.records.study import Arm
from whyfit.study.effects import deciding_interval
from whyfit.study.judging.rounds import REFUTED_BELOW
from whyfit.study.run import Laboratory


def surely_works(laboratory: Laboratory, changes: Arm) -> bool:
    """Whether the interval of an arm's success rate clears the target."""
    interval = deciding_interval(laboratory.outcomes(changes, "confirmation"))
    return interval.low >= laboratory.plan.target_rate


def surely_misses(laboratory: Laboratory, changes: Arm) -> bool:
    """Whether an arm falls short of the target by more than what counts as an effect."""
    interval = deciding_interval(laboratory.outcomes(changes, "confirmation"))
    return interval.high < laboratory.plan.target_rate - REFUTED_BELOW


def needless(changes: Arm, sufficient: Iterable[Arm], proposed: set[Change]) -> bool:
    """Whether a smaller sufficient set does what these changes do, so that they cannot count.

    That is any proper subset. A set with a change that no finding proposes is needless too where a
    part of its factors suffices at another level: with tanh alone sufficient, a larger learning rate
    beside leaky ReLU says nothing of the learning rate. Otherwise levels near the target rate make
    verdicts a toss.
    """
    factors = {change.factor for change in changes}
    return any(
        set(other) < set(changes)
        or (not proposed >= set(changes) and {change.factor for change in other} < factors)
        for other in sufficient
    )


def factors_of(changes: Arm) -> tuple[str, ...]:
    """The combination of factors that an arm changes."""
    return tuple(change.factor for change in changes)
