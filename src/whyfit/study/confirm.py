"""Fixes: the sets that count as patches of the script, verified in the person's own framework."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from scipy import stats

from whyfit.adapters.capture import Program
from whyfit.engine import cost
from whyfit.patching import patch as patches
from whyfit.patching.rerun import RerunResult, run_patched
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Recipe
from whyfit.records.study import (
    Arm,
    Fix,
    FixStatus,
    FrameworkRuns,
    Outcomes,
    Study,
    arm,
)
from whyfit.study import factors
from whyfit.study.effects import compare, deciding_interval

MOST_FIXES = 5
ROBUST_RATE = 0.95


@dataclass(frozen=True)
class ConfirmOptions:
    """How many runs of the patched script, and how long one may take (seconds)."""

    runs: int = 3
    time_limit: float = 600.0


def rank(study: Study, fit: Fit, recipe: Recipe) -> tuple[Arm, ...]:
    """Sets worth offering, the recommended one first.

    The recommended set has the fewest changes, then the most that remove an observed fault, then the
    highest rate; of equals the one that makes training shorter, then the one the plan has first.
    After it comes the best set of each other combination of factors, and for a set that often fails
    one more change that lifts it to nearly always (see `_robust`).
    """
    speaking = [each.changes for each in study.sets if each.speaks]
    # Not every framework can do all that the engine can; that is shown only for want of better.
    speaking = [each for each in speaking if patches.exists(fit.framework, each)] or speaking
    proposed = study.plan.proposed
    place = {change: at for at, change in enumerate(study.plan.levels)}

    def order(changes: Arm) -> tuple[int, int, float, float, list[int]]:
        mends = sum(change in proposed for change in changes)
        price = cost.seconds(factors.apply(changes, fit, recipe), len(fit.x), 16, cores=1)
        return (
            len(changes),
            -mends,
            -round(_rate(study, changes), 2),
            price,
            [place.get(change, 99) for change in changes],
        )

    ranked = sorted(speaking, key=order)
    for changes in list(ranked):
        better = _robust(study, changes) if _rate(study, changes) < ROBUST_RATE else None
        if better is not None and patches.exists(fit.framework, better):
            ranked.append(better)
    return tuple(ranked[:MOST_FIXES])


def _rate(study: Study, changes: Arm) -> float:
    outcomes = study.of(changes)
    return outcomes.rate if outcomes else 0.0


def _robust(study: Study, changes: Arm) -> Arm | None:
    """The set with one more change that clearly lifts it to nearly always.

    Of those that may succeed nearly always and are not surely worse than the best by what that leaves
    open, more of the same (units, epochs) comes before a change of kind, and little before much. One
    failure more or less in 64 starts would else choose.
    """
    base = study.of(changes)
    others = [set(each.changes) for each in study.sets if each.changes != changes]
    larger = [
        each
        for each in study.outcomes
        if each.phase == "confirmation"
        and len(each.arm) == len(changes) + 1
        and set(changes) < set(each.arm)
        and not any(other <= set(each.arm) for other in others)
        and base is not None
        and compare(each, base).deciding.low > 0.0
    ]
    best = max(larger, key=lambda each: each.rate, default=None)
    if best is None or best.rate < ROBUST_RATE:
        return None
    as_good = [
        each
        for each in larger
        if compare(best, each).deciding.low <= 1.0 - ROBUST_RATE
        and deciding_interval(each).high >= ROBUST_RATE
    ]
    # Fewest extra units and epochs come first in the plan.
    place = {change: at for at, change in enumerate(study.plan.levels)}

    def order(each: Outcomes) -> tuple[bool, int]:
        (added,) = set(each.arm) - set(changes)
        return added.factor not in ("units", "epochs"), place.get(added, 99)

    return min(as_good, key=order).arm


def make_fix(program: Program | None, fit: Fit, recipe: Recipe, changes: Arm) -> Fix:
    """A set of changes as a diff of the script, engine-checked only so far."""
    if program is None:
        words = tuple(_in_words(change, fit, recipe) for change in changes)
        return Fix(changes, "promising", None, words)
    patched = _patched(program, fit, recipe, changes)
    if patched.source is None:
        words = tuple(_in_words(change, fit, recipe) for change in changes)
        return Fix(changes, "promising", None, (*words, *patched.words))
    diff = patches.unified_diff(program.in_file, patched.source, patches.shown_path(program.path))
    return Fix(changes, "promising", diff, ())


def _patched(program: Program, fit: Fit, recipe: Recipe, changes: Arm) -> patches.Patch:
    changed = factors.apply(changes, fit, recipe)
    bounds = [factors.bias_spread(fit, changed, index) for index in range(len(changed.hidden))]
    return patches.patch(program.source, program.path, fit, changes, bounds)


def verify(
    program: Program,
    fit: Fit,
    fit_index: int,
    recipe: Recipe,
    fix: Fix,
    study: Study,
    options: ConfirmOptions,
    tick: Callable[[int], None] = lambda _done: None,
) -> Fix:
    """Run the patched script in the framework with fresh seeds and count its successes."""
    patched = _patched(program, fit, recipe, fix.changes)
    outcomes = study.of(fix.changes)
    if patched.source is None or outcomes is None or options.runs < 1:
        return fix
    results = run_patched(
        program,
        patched.source,
        fit_index=fit_index,
        seeds=[(study.plan.confirmation_seed + at) % 2**32 for at in range(options.runs)],
        time_limit=options.time_limit,
        parallel=max(1, os.cpu_count() or 1),
        tick=tick,
    )
    runs = _counted(results, study.plan.criterion.tolerance)
    return replace(fix, status=_status(runs, outcomes), framework_runs=runs)


def _counted(results: tuple[RerunResult, ...], tolerance: float) -> FrameworkRuns:
    reached = tuple(each.unexplained for each in results if each.unexplained is not None)
    return FrameworkRuns(
        runs=len(results),
        successes=sum(value <= tolerance for value in reached),
        unexplained=reached,
        failures=tuple(each.failure for each in results if each.failure is not None),
    )


def _status(runs: FrameworkRuns, outcomes: Outcomes) -> FixStatus:
    """Verified if every run ended well, not all missed the criterion, and an exact binomial test allows
    the engine's rate.

    That rate is known to its interval; the test takes the rate in it that is nearest to the runs.
    """
    if runs.successes == 0 or runs.failures:
        return "promising"
    engine = deciding_interval(outcomes)
    nearest = min(max(runs.successes / runs.runs, engine.low), engine.high)
    compatible = stats.binomtest(runs.successes, runs.runs, nearest).pvalue >= 0.05
    return "verified" if compatible else "promising"


def _in_words(change: Change, fit: Fit, recipe: Recipe) -> str:
    factor = factors.factor_named(change.factor)
    if change.to == "none":
        return f"no {factor.phrase} (now {factor.current(fit, recipe)})"
    return f"set the {factor.phrase} to {change.to} (now {factor.current(fit, recipe)})"


def fixes(program: Program | None, fit: Fit, recipe: Recipe, study: Study) -> tuple[Fix, ...]:
    """All fixes worth offering, none yet run in the framework."""
    return tuple(
        make_fix(program, fit, recipe, arm(*changes)) for changes in rank(study, fit, recipe)
    )
