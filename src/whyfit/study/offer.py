"""Before fixes are offered: enough replicates to know how often each of them holds, and what becomes of
the fixes that the author tried and commented out.
"""

from __future__ import annotations

from whyfit.records.study import Arm, Study, SufficientSet
from whyfit.study.alternatives import Alternative
from whyfit.study.confirm import ROBUST_RATE, rank
from whyfit.study.effects import LOOKS, deciding_interval
from whyfit.study.run import Laboratory
from whyfit.study.words import counts_of, describe

RESERVED = 0.25
"""Share of the budget that the search for causes leaves for this: 64 of 64 starts may be luck, and then
one person in eight finds the fix broken."""

FIRST = 2
"""Fixes whose rates are made sharp: the one recommended, and the one that would take its place."""


def sharpen(laboratory: Laboratory, sets: tuple[SufficientSet, ...]) -> tuple[str, ...]:
    """Add replicates to the fixes ranked first until each surely holds in 95 % of starts, or surely
    does not; and the plain word where none was found that does.

    That 64 of 64 starts succeed leaves room for a fix that fails in one start of fourteen.
    """
    for replicates in LOOKS[1:]:
        blunt = [
            changes
            for changes in _ranked(laboratory, sets)[:FIRST]
            if laboratory.outcomes(changes, "confirmation").replicates < replicates
            and _is_open(laboratory, changes)
        ]
        blunt.sort(key=lambda changes: laboratory.price((changes,), replicates, "confirmation"))
        for changes in blunt:
            if laboratory.price((changes,), replicates, "confirmation") <= laboratory.remaining:
                doing = "how often the best fixes hold"
                laboratory.run({changes: replicates}, "confirmation", doing)
    ranked = _ranked(laboratory, sets)
    if not ranked or any(_rate(laboratory, changes) >= ROBUST_RATE for changes in ranked):
        return ()
    best = max(ranked, key=lambda changes: _rate(laboratory, changes))
    return (
        f"no fix was found that holds in {ROBUST_RATE:.0%} of the starts; the surest is "
        f"{describe(best)}, with {counts_of(laboratory, best)}",
    )


def try_alternatives(laboratory: Laboratory, left: tuple[Alternative, ...]) -> tuple[str, ...]:
    """What becomes of each line that the author left commented out, in a sentence."""
    said = []
    for each in left:
        name = f"line {each.line} is commented out ({each.text})"
        kept = [change.factor for change in each.changes if change.factor in laboratory.plan.kept]
        price = laboratory.price((each.changes,), LOOKS[0], "confirmation")
        if not each.changes:
            said.append(f"{name}: not tested, it cannot be told what it would change alone")
        elif kept:
            said.append(f"{name}: not tested, it changes what was to be kept")
        elif price > laboratory.remaining:
            said.append(f"{name}: not tested, it would take more than the budget")
        else:
            doing = "what the script has commented out"
            laboratory.run({each.changes: LOOKS[0]}, "confirmation", doing)
            counts = counts_of(laboratory, each.changes)
            said.append(f"{name}: with it, {counts} starts succeed")
    return tuple(said)


def _ranked(laboratory: Laboratory, sets: tuple[SufficientSet, ...]) -> tuple[Arm, ...]:
    so_far = Study(laboratory.plan, laboratory.everything(), sets, (), (), None, None)
    return rank(so_far, laboratory.fit, laboratory.recipe)


def _is_open(laboratory: Laboratory, changes: Arm) -> bool:
    interval = deciding_interval(laboratory.outcomes(changes, "confirmation"))
    return interval.low < ROBUST_RATE < interval.high


def _rate(laboratory: Laboratory, changes: Arm) -> float:
    return laboratory.outcomes(changes, "confirmation").rate
