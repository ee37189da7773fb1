"""Arms: sets of changes and how often their trainings succeed; what it takes to make the fit good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from whyfit.records.evidence import finite
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.study import Arm, Comparison, Fix, Outcomes, Study
from whyfit.report.panels.values import Number, Pair, Series, exact_interval, pair, rounded
from whyfit.study import factors
from whyfit.study.effects import outcome_interval
from whyfit.study.words import describe

MOST_STRIP = 256
MOST_LADDER = 16


@dataclass(frozen=True)
class ChangePanel:
    """One factor and its two levels."""

    factor: str
    from_: str
    to: str


@dataclass(frozen=True)
class LiveUnitsPanel:
    """The replicates of an arm that began with so many live hidden units."""

    live_units: int
    replicates: int
    successes: int
    median_unexplained_variance: Number


@dataclass(frozen=True)
class ModePanel:
    """The replicates of an arm that end alike: what they leave lies from `low` to `high`, None for
    those that diverged.
    """

    low: Number
    high: Number
    replicates: int
    successes: int


@dataclass(frozen=True)
class ArmPanel:
    """`strip` holds unexplained variances of some replicates, None where one diverged; `modes` are
    groups of all of them, the best first.
    """

    changes: tuple[ChangePanel, ...]
    phase: str
    replicates: int
    successes: int
    success_rate: float
    interval: Pair
    median_unexplained_variance: Number
    label: str
    strip: Series = ()
    by_live_units: tuple[LiveUnitsPanel, ...] = ()
    modes: tuple[ModePanel, ...] = ()


@dataclass(frozen=True)
class ControlPanel:
    """How often a control succeeds."""

    replicates: int
    successes: int
    interval: Pair


@dataclass(frozen=True)
class ControlsPanel:
    """The untouched script on fresh starts, and as many random changes as the smallest fix has."""

    baseline_fresh: ControlPanel | None
    random_changes: ControlPanel | None


@dataclass(frozen=True)
class EffectPanel:
    """What one change, or a pair beyond its sum, adds to the success rate."""

    changes: tuple[str, ...]
    value: float
    interval: Pair


@dataclass(frozen=True)
class FrontPanel:
    """The best arm with so many changes, better than any with fewer."""

    changes: int
    arm: int


class ArmIndex:
    """The arms of a study in order, those on confirmation seeds first, and their numbers."""

    def __init__(self, fit: Fit, study: Study | None) -> None:
        self._place: dict[Arm, int] = {}
        panels = []
        outcomes = study.outcomes if study else ()
        confirmed = {each.arm for each in outcomes if each.phase == "confirmation"}
        shown = [each for each in outcomes if each.phase == "confirmation"]
        shown += [each for each in outcomes if each.arm not in confirmed]
        for each in shown:
            self._place[each.arm] = len(panels)
            panels.append(arm_panel(fit, each))
        self.panels = tuple(panels)

    def of(self, changes: Arm) -> int:
        """The number of an arm; KeyError if it was not trained."""
        return self._place[changes]

    def find(self, changes: Arm) -> int | None:
        """The number of an arm, or None if it was not trained."""
        return self._place.get(changes)

    def of_comparisons(self, comparisons: tuple[Comparison, ...]) -> tuple[int, ...]:
        """The numbers of all arms that some comparisons compare."""
        arms = [each for one in comparisons for each in (one.without, one.with_)]
        return tuple(dict.fromkeys(self._place[each] for each in arms if each in self._place))


def change_panel(fit: Fit, change: Change) -> ChangePanel:
    """A change with the level that the fit has now."""
    current = ""
    if fit.recipe is not None:
        current = factors.factor_named(change.factor).current(fit, fit.recipe)
    return ChangePanel(change.factor, current, change.to)


def arm_panel(fit: Fit, outcomes: Outcomes) -> ArmPanel:
    """An arm with its counts, a strip of its outcomes, and its successes by live units."""
    return ArmPanel(
        tuple(change_panel(fit, change) for change in outcomes.arm),
        outcomes.phase,
        outcomes.replicates,
        outcomes.successes,
        outcomes.rate,
        pair(outcome_interval(outcomes)),
        finite(outcomes.median),
        describe(outcomes.arm),
        tuple(rounded(value) for value in outcomes.unexplained[:MOST_STRIP]),
        _by_live_units(outcomes),
        modes(outcomes.unexplained, outcomes.tolerance),
    )


MODE_GAP, MODE_SHARE = 1.5, 0.03
"""Neighbours that differ by half their size, with a few in a hundred on either side, are two groups:
within one smooth distribution of a hundred values such gaps occur in its thin tails alone."""


def modes(unexplained: Array, tolerance: float) -> tuple[ModePanel, ...]:
    """Groups of outcomes with a gap between them, the best first; diverged ones are their own group.

    >>> [each.replicates for each in modes(np.array([0.011, 0.01, 0.3, 0.31, 0.32, np.inf]), 0.05)]
    [2, 3, 1]
    """
    ended = np.sort(unexplained[np.isfinite(unexplained)])
    fewest = max(1, round(MODE_SHARE * len(unexplained)))
    cuts = [0]
    for at in range(1, len(ended)):
        apart = ended[at] > MODE_GAP * ended[at - 1]
        if apart and at - cuts[-1] >= fewest and len(ended) - at >= fewest:
            cuts.append(at)
    groups = [each for each in np.split(ended, cuts[1:]) if len(each)]
    found = [
        ModePanel(rounded(each[0]), rounded(each[-1]), len(each), int(np.sum(each <= tolerance)))
        for each in groups
    ]
    if diverged := len(unexplained) - len(ended):
        found.append(ModePanel(None, None, diverged, 0))
    return tuple(found)


def _by_live_units(outcomes: Outcomes) -> tuple[LiveUnitsPanel, ...]:
    live = []
    for count in np.unique(outcomes.live_units):
        here = outcomes.live_units == count
        median = float(np.median(outcomes.unexplained[here]))
        successes = int(np.sum(outcomes.succeeded[here]))
        live.append(LiveUnitsPanel(int(count), int(np.sum(here)), successes, rounded(median)))
    return tuple(live)


def controls(study: Study | None) -> ControlsPanel:
    """The two controls of a study, None where they were not run."""
    if study is None:
        return ControlsPanel(None, None)
    baseline = study.of(())
    fresh = None
    if baseline is not None and baseline.phase == "confirmation":
        interval = pair(outcome_interval(baseline))
        fresh = ControlPanel(baseline.replicates, baseline.successes, interval)
    random = None
    if study.random_changes:
        successes, replicates = study.random_changes
        random = ControlPanel(replicates, successes, exact_interval(successes, replicates))
    return ControlsPanel(fresh, random)


def shapley(study: Study | None) -> tuple[EffectPanel, ...]:
    """Each change's fair share of the success rate of all together."""
    if study is None or study.shapley is None:
        return ()
    return tuple(
        EffectPanel((describe((change,)),), value, pair(interval))
        for change, value, interval in study.shapley.values
    )


def interactions(study: Study | None) -> tuple[EffectPanel, ...]:
    """How much more each pair of changes gives together than apart."""
    if study is None or study.shapley is None:
        return ()
    return tuple(
        EffectPanel((describe((first,)), describe((second,))), value, pair(interval))
        for first, second, value, interval in study.shapley.interactions
    )


def ladder(fixes: Sequence[Fix], index: ArmIndex) -> tuple[int, ...]:
    """The arms from the script as it is, over the parts, to the smallest fix of several changes.

    Empty where no fix has several changes.
    """
    joint = [fix.changes for fix in fixes if len(fix.changes) > 1]
    if not joint:
        return ()
    changes = min(joint, key=len)
    parts = [part for size in range(len(changes) + 1) for part in combinations(changes, size)]
    found = [at for part in parts if (at := index.find(tuple(sorted(part)))) is not None]
    return tuple(found[: MOST_LADDER - 1] + found[MOST_LADDER - 1 :][-1:])


def front(arms: Sequence[ArmPanel]) -> tuple[FrontPanel, ...]:
    """The Pareto front: for each number of changes the best arm, if it beats all with fewer changes.

    Arms on the selection seeds were chosen for their luck and do not count.
    """
    best: dict[int, tuple[float, int]] = {}
    for at, arm in enumerate(arms):
        if arm.phase == "confirmation":
            size = len(arm.changes)
            best[size] = max(best.get(size, (-1.0, 0)), (arm.success_rate, -at))
    found: list[FrontPanel] = []
    highest = -1.0
    for size in sorted(best):
        rate, place = best[size]
        if rate > highest:
            highest = rate
            found.append(FrontPanel(size, -place))
    return tuple(found)
