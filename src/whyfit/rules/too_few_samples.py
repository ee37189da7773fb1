"""So few samples that the curve is free between them.

What we see:     the fit meets its samples and misses what lies midway between neighbours.
Why it looks odd: nothing holds the curve between the points: it overshoots, bends and spikes there,
                 while the error that is reported stays small.
How we know:     the curve midway between neighbouring x is compared with the mean of their targets,
                 over the variance of y; one input only.
What to try:     more samples; a smaller network; a penalty on the weights.
When to ignore:  the targets themselves jump between the samples.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# Between samples that show the curve the miss is about that at the samples; four times is a curve
# that does something of its own there.
RATIO = 4.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the curve misses between the samples what it meets at them."""
    between, left = evidence.between, evidence.fit.unexplained_variance
    noise = evidence.data.noise_floor
    if between is None or not between > max(evidence.tolerance, RATIO * left, RATIO * noise):
        return None
    return Finding(
        "too-few-samples",
        f"the fit leaves {left:.3g} of the variance at the {evidence.data.samples} samples and "
        f"{between:.3g} midway between them",
        (Measure("unexplained variance midway between samples", between, RATIO * left),),
    )
