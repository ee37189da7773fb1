"""Predictions asked for where there were no training data.

What we see:     the script asks the trained network about inputs outside the range it was trained
                 on.
Why it looks odd: a network knows nothing there. ReLU networks go on as a straight line for ever,
                 tanh and sigmoid ones level off; no sine continues.
How we know:     the inputs of predict and evaluate calls are compared with the range of the
                 training data; for ReLU with one input the last bend is traced.
What to try:     training data that cover the range; inputs that repeat (sin and cos of x) where the
                 target is periodic; no change of the training helps.
When to ignore:  the points outside are not looked at.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# Within a twentieth of the range beyond the data any smooth fit still holds.
MARGIN = 0.05

# A few stray points are no question to the network.
SHARE = 0.05


def check(evidence: Evidence) -> Finding | None:
    """Report where a twentieth of the inputs asked for lie clearly outside the data."""
    x, asked = evidence.fit.x, evidence.fit.asked
    if asked is None:
        return None
    low, high = x.min(axis=0), x.max(axis=0)
    margin = MARGIN * (high - low)
    outside = np.any((asked < low - margin) | (asked > high + margin), axis=1)
    share = float(np.mean(outside))
    if share < SHARE:
        return None
    where = "the training data"
    if x.shape[1] == 1:
        ends = [evidence.fit.in_units_of_x(float(each[0])) for each in (low, high)]
        where = f"[{min(ends):.3g}, {max(ends):.3g}]"
    return Finding(
        "outside-training-range",
        f"{share:.0%} of the {len(asked)} inputs asked for lie outside {where}, where the network "
        f"was never trained{_last_bend(evidence, asked)}",
        (Measure("inputs asked for outside the training range", share, SHARE, "share"),),
    )


def _last_bend(evidence: Evidence, asked: np.ndarray) -> str:
    """From where on the curve is one straight line, on the side that is asked for most."""
    bends = [hinge.position for hinge in evidence.end_hinges]
    if not bends or not evidence.has_hinges:
        return ""
    (low, high), (least, most) = evidence.input_range, (float(asked.min()), float(asked.max()))
    right = most - high >= low - least
    last = max(bends) if right else min(bends)
    if (last > most) if right else (last < least):
        return ""  # as good as nowhere: the unit's weight is nearly zero
    if (last < low) if right else (last > high):
        return "; it has no bend there"
    place = evidence.fit.in_units_of_x(last)
    return f"; {'beyond' if right else 'below'} x = {place:.3g} it has no bend"
