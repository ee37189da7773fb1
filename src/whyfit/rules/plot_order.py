"""A line drawn through points that are not in order.

What we see:     the script connects the points of a plot by a line, and their x go back and forth.
Why it looks odd: the line runs across the plot and back: a scribble, though each point of the fit
                 may be right.
How we know:     the lines that matplotlib drew are looked at: their x belong to the training data,
                 and more than a tenth of the steps go backwards.
What to try:     sort by x before plotting (np.argsort), or draw markers without a line.
When to ignore:  the line is meant to come back, as a closed curve does.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# A handful of steps back are the seams of curves drawn in pieces.
BACK = 0.1
FEW_POINTS = 10


def check(evidence: Evidence) -> Finding | None:
    """Report a connected line over the data whose x are not in order."""
    fit = evidence.fit
    known = np.unique(np.concatenate([fit.x[:, 0], fit.in_input_units(fit.x)[:, 0]]))
    for line in fit.drawn:
        if len(line.x) < FEW_POINTS:
            continue
        steps = np.diff(line.x)
        back = float(min(np.mean(steps < 0.0), np.mean(steps > 0.0)))
        if back > BACK and _are_among(line.x, known):
            return Finding(
                "plot-order",
                f"a line through {len(line.x)} points goes backwards in {back:.0%} of its steps: x "
                "is not sorted",
                (Measure("steps that go backwards", back, BACK, "share"),),
            )
    return None


def _are_among(values: np.ndarray, known: np.ndarray) -> bool:
    """Whether nearly all values occur among the known ones, to rounding."""
    at = np.clip(np.searchsorted(known, values), 1, len(known) - 1)
    away = np.minimum(np.abs(values - known[at - 1]), np.abs(values - known[at]))
    return bool(np.mean(away <= 1e-6 * float(np.ptp(known))) > 0.9)
