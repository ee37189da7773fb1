"""What was tested of a change: its effects alone and beside what works, and what is still open."""

from __future__ import annotations

import numpy as np

from whyfit.records.finding import Change
from whyfit.records.study import BASELINE, Arm, Comparison, Outcomes, arm, best_unjudged
from whyfit.study.effects import compare
from whyfit.study.factors import compatible
from whyfit.study.judging import Judged
from whyfit.study.judging.additions import has_room, works_by_itself
from whyfit.study.judging.rounds import REFUTED_BELOW
from whyfit.study.judging.standing import needless
from whyfit.study.run import Laboratory
from whyfit.study.search import bar
from whyfit.study.words import count_of, describe, phrase


def effects_of(judged: Judged, changes: tuple[Change, ...]) -> tuple[Comparison, ...]:
    """What the changes do to the script as it is, and to each set that works."""
    alone = [judged.alone[change] for change in changes if change in judged.alone]
    inside = [
        comparison for (_held, change), comparison in judged.inside.items() if change in changes
    ]
    return (*alone, *inside)


def helps_elsewhere(laboratory: Laboratory, changes: tuple[Change, ...]) -> Comparison | None:
    """The clearest help of a change in any context that was trained, or None.

    A set may miss the target rate by a hair; what makes it nearly work must not be called refuted. All
    pairs of arms that differ by the change are looked at, with the interval corrected for their number.
    """
    table = {(each.arm, each.phase): each for each in laboratory.everything()}
    pairs = [
        (larger, smaller)
        for (held, phase), larger in table.items()
        for change in changes
        if change in held
        and (smaller := table.get((tuple(each for each in held if each != change), phase)))
    ]
    compared = [compare(larger, smaller, len(pairs)) for larger, smaller in pairs]
    clear = [each for each in compared if each.deciding.low > REFUTED_BELOW]
    return max(clear, key=lambda each: each.difference, default=None)


def stays_finite(laboratory: Laboratory, changes: tuple[Change, ...]) -> Change | None:
    """A change that by itself keeps most starts finite where most diverge without it, or None.

    What makes a training diverge is a cause of that, though taking it away may leave the fit bad.
    """
    diverged = _diverged(laboratory.outcomes(BASELINE, "confirmation"))
    for change in changes:
        outcomes = laboratory.outcomes(arm(change), "confirmation")
        if outcomes.replicates and diverged > 0.5 > _diverged(outcomes):
            return change
    return None


def _diverged(outcomes: Outcomes) -> float:
    return float(np.mean(~np.isfinite(outcomes.unexplained))) if outcomes.replicates else 0.0


def open_question(
    laboratory: Laboratory, judged: Judged, changes: tuple[Change, ...]
) -> str | None:
    """Why these changes cannot be refuted although no comparison shows a help, or None.

    A change is not why the fit failed if it helps neither alone nor beside anything that works, nor in
    the place of a member of what works. What the budget left out of this stays open.
    """
    if not judged.representatives:
        if best_unjudged(laboratory.everything(), laboratory.plan.target_rate) is not None:
            return "the budget did not reach to judge the sets of changes to test it in"
        return "no set of changes that works was found to test it in"
    for held in judged.representatives:
        for change in changes:
            if change in held:
                continue
            # It can only take the place of a member that it cannot be made beside: one of the same
            # factor, or an optimizer with a rate of its own for a learning rate.
            rivals = tuple(each for each in held if not compatible(each, change))
            untried = not rivals and (held, change) not in judged.inside
            known = works_by_itself(laboratory, change)
            if untried and not known and has_room(laboratory, held):
                return f"the budget did not reach {phrase(change)} beside {describe(held)}"
            for member in rivals or held:
                other = arm(change, *(each for each in held if each != member))
                reason = _of_replacement(laboratory, judged, other, change, member)
                if reason is not None:
                    return reason
    return None


def _of_replacement(
    laboratory: Laboratory, judged: Judged, other: Arm, change: Change, member: Change
) -> str | None:
    sufficient = [each.changes for each in judged.sets]
    if needless(other, sufficient, set(laboratory.plan.proposed)):
        return None
    outcomes = laboratory.outcomes(other, "confirmation")
    if not outcomes.replicates:
        outcomes = laboratory.outcomes(other, "selection")
    if not outcomes.replicates:
        return f"the budget did not reach {phrase(change)} in place of {phrase(member)}"
    if outcomes.rate >= bar(laboratory):
        return f"in place of {phrase(member)} it works too, in {count_of(outcomes)}"
    return None
