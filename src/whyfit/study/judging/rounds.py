"""Paired comparisons on the confirmation seeds, each with as many rounds of replicates as decide it.

What decides are intervals that hold at all these looks together (see `effects`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from whyfit.records.study import Arm, Comparison
from whyfit.study.effects import LOOKS, compare
from whyfit.study.run import Laboratory

REFUTED_BELOW = 0.10
"""A change that moves the success rate by less than this is not why the fit failed."""


Key = TypeVar("Key")


def affordable(
    laboratory: Laboratory,
    groups: dict[Key, tuple[Arm, ...]],
    replicates: int,
    first: Collection[Key] = (),
) -> list[Key]:
    """The groups of arms whose replicates the rest of the budget pays for: those named `first`, then
    the others, each time the cheapest before dearer ones.
    """
    if laboratory.overdue:
        return []
    prices = {
        key: laboratory.price(arms, replicates, "confirmation") for key, arms in groups.items()
    }
    chosen, left = [], laboratory.remaining
    for key in sorted(prices, key=lambda key: (key not in first, prices[key])):
        if prices[key] <= left:
            chosen.append(key)
            left -= prices[key]
    return chosen


def compared(
    laboratory: Laboratory,
    pairs: dict[Key, tuple[Arm, Arm]],
    doing: str,
    decided: Callable[[Comparison], bool],
    corrections: int,
    first: Collection[Key] = (),
) -> dict[Key, Comparison]:
    """Paired comparisons, each with as many rounds as it takes to decide; what is named `first` is
    paid for before the rest.
    """
    compared: dict[Key, Comparison] = {}
    waiting = dict(pairs)
    for replicates in LOOKS:
        chosen = affordable(laboratory, waiting, replicates, first)
        arms = [each for key in chosen for each in waiting[key]]
        laboratory.run(dict.fromkeys(arms, replicates), "confirmation", doing)
        waiting = {key: waiting[key] for key in chosen}
        for key, (with_, without) in list(waiting.items()):
            compared[key] = compare(
                laboratory.outcomes(with_, "confirmation"),
                laboratory.outcomes(without, "confirmation"),
                corrections,
            )
            if decided(compared[key]):
                del waiting[key]
    return compared


def excludes_zero(comparison: Comparison) -> bool:
    """Whether the change surely raises the success rate or surely lowers it."""
    return comparison.deciding.low > 0.0 or comparison.deciding.high < 0.0


def does_not_help(comparison: Comparison) -> bool:
    """Whether the change surely raises the success rate by less than REFUTED_BELOW, if at all."""
    return comparison.deciding.high < REFUTED_BELOW


def decides_refutation(comparison: Comparison) -> bool:
    """Surely no help, or surely one."""
    return does_not_help(comparison) or comparison.deciding.low > 0.0
