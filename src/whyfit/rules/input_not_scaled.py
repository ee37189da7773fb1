"""Inputs whose spread is far from one.

What we see:     the standard deviation of an input is above 10 or below 0.1.
Why it looks odd: initializers and learning rates are made for inputs of size one. Large inputs drive
                 tanh and sigmoid units to their bounds and make the loss so steep that steps
                 overshoot; small ones make the network nearly constant. The fit is a staircase, a
                 straight line, or no number at all.
How we know:     the standard deviation of each input as passed to `fit`.
What to try:     standardise the inputs, or scale them to [-1, 1].
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# LeCun et al. 1998, "Efficient BackProp", section 4.3: the inputs should have variances of about one.
# Up to a factor of ten either way an initializer's usual scatter and some training make up for it.
LIMIT = 10.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the spread of any input differs from one by more than a factor of ten."""
    spreads = [column.deviation for column in evidence.data.x if column.deviation > 0.0]
    worst = max(spreads, key=lambda each: max(each, 1.0 / each), default=1.0)
    if max(worst, 1.0 / worst) <= LIMIT:
        return None
    return Finding(
        "input-not-scaled",
        f"the standard deviation of {'the' if len(spreads) == 1 else 'an'} input is {worst:.3g}; "
        "initializers and learning rates are made for 1",
        (Measure("standard deviation of an input", worst, LIMIT if worst > 1 else 1 / LIMIT),),
        (),
        (Change("input_range", "rescaled"),),
    )
