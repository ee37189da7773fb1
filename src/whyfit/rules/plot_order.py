"""A line drawn through points that are not in order.

What we see:     the script connects the points of a plot by a line, and their x go back and forth.
Why it looks odd: the line runs across the plot and back: a scribble, though each point of the fit
                 may be right.
How we know:     the lines that matplotlib drew are looked at: their x are those of an input of the
                 training data, or all of these in other units, and more than a tenth of the steps
                 go backwards.
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
    own = np.concatenate([fit.x, fit.in_input_units(fit.x)], axis=1)
    known = [np.unique(column) for column in own.T]
    for line in fit.drawn:
        if len(line.x) < FEW_POINTS:
            continue
        steps = np.diff(line.x)
        back = float(min(np.mean(steps < 0.0), np.mean(steps > 0.0)))
        of_data = any(_are_among(line.x, each) for each in known) or _rescaled(line.x, fit.x)
        if back > BACK and of_data:
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


SAME = 1.0 - 1e-9
"""Correlation of a column with itself in other units: float32 leaves 1 - 1e-13."""


def _rescaled(values: np.ndarray, x: np.ndarray) -> bool:
    """Whether the values are an input of all samples, in order, up to its scale and offset: people plot
    over what they had before they normalised it by hand.
    """
    if len(values) != len(x) or np.ptp(values) == 0.0:
        return False
    varied = x[:, np.ptp(x, axis=0) > 0.0]
    return any(abs(np.corrcoef(values, column)[0, 1]) > SAME for column in varied.T)
