"""A fit that is as good as the noise in the targets allows.

What we see:     the error that is left is about the variance of the noise in y.
Why it looks odd: the curve misses many points; it should: they scatter around what can be known.
How we know:     neighbouring samples estimate the noise without any model (Gasser, Sroka &
                 Jennen-Steinmetz 1986); one input only.
What to try:     nothing: better data, not a better fit.
When to ignore:  the targets are known to be exact.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# The estimate itself scatters by about sqrt(2 / n) and the network spends a few degrees of freedom; a
# quarter above the floor covers both for a hundred samples.
FACTOR = 1.25

# Noise below this share of the variance is invisible in a plot and not worth a word.
WORTH_SAYING = 0.01


def check(evidence: Evidence) -> Finding | None:
    """Report where the unexplained variance is the noise floor, give or take a quarter."""
    floor = evidence.data.noise_floor
    left = evidence.fit.unexplained_variance
    if floor < WORTH_SAYING or not left <= FACTOR * floor:
        return None
    if evidence.data.is_unrelated and evidence.data.far is not None:
        return None  # a few wrong targets are no noise in the others
    noise = f"{floor:.3g}" if not evidence.data.is_unrelated else "all of it"
    return Finding(
        "noise-floor-reached",
        f"the fit leaves {left:.3g} of the variance unexplained, and {noise} is noise",
        (Measure("unexplained variance", left, FACTOR * floor),),
    )
