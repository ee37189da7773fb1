"""Loops that end themselves: a `break` out of the epochs, as early stopping by hand is written."""

from __future__ import annotations

import linecache
from collections.abc import Sequence

import libcst as cst

from whyfit.records.fit import Place
from whyfit.syntax.loops import Loop, for_loops_around


def stopped_by_itself(places: Sequence[Place], epochs: int, steps: int) -> str | None:
    """Why the number of epochs is no part of a recipe, or None where the loop did not end itself.

    `places` are the calls of the script that led to the first step, innermost first; `epochs` and
    `steps` are those that were trained. A loop over `range(n)` that has a `break` of its own and made
    fewer than n turns ended where the script found it right; a fresh start would end elsewhere. The
    innermost loop makes a step in each turn, the others a pass.
    """
    made = steps
    for place in places:
        around = _around(place)
        for loop in reversed(around):
            if loop.counts and loop.breaks:
                if loop.turns is None:
                    return "a loop that ends itself is not supported"
                if loop.turns > made:
                    return (
                        f"a loop that ended itself after {made} of its {loop.turns} turns is not "
                        "supported"
                    )
            made = epochs
        if any(loop.counts for loop in around):
            return None  # loops further out go through whole trainings
    return None


def _around(place: Place) -> list[Loop]:
    try:
        return for_loops_around("".join(linecache.getlines(place.file)), place)
    except cst.ParserSyntaxError:  # a notebook's cell with magics
        return []
