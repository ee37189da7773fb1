"""A network that cannot make the curve, however it is trained.

What we see:     no network of this shape comes below the tolerance on these data.
Why it looks odd: the curve has a corner for each unit and no more; the fit is the best compromise.
How we know:     a ReLU network with one input and n hidden units has at most n + 1 straight pieces.
                 The least error of any n + 1 pieces, even unconnected ones, is found exactly by
                 dynamic programming; if it lies above the tolerance, that is a proof.
What to try:     more units.
When to ignore:  never: training cannot help.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# The default tolerance of a success (1 - R^2 <= 0.05), below which nobody calls a curve odd. The study
# compares with the tolerance of its own criterion.
TOLERANCE = 0.05


def check(evidence: Evidence) -> Finding | None:
    """Report the proof where the lower bound lies above the tolerance."""
    capacity = evidence.capacity
    limit = max(TOLERANCE, 1.25 * evidence.data.noise_floor)
    if capacity is None or capacity.lower_bound <= limit:
        return None
    return Finding(
        "too-few-units",
        f"no network with {capacity.bends} hidden units can leave less than "
        f"{capacity.lower_bound:.3g} of the variance unexplained on these data",
        (Measure("least unexplained variance possible", capacity.lower_bound, limit),),
        (),
        (Change("units", "x2"), Change("units", "x4")),
        proof="confirmed",
    )
