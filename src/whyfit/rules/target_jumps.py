"""A target that jumps.

What we see:     between two neighbouring inputs the target changes by a large part of its whole
                 range, and hardly anywhere else.
Why it looks odd: a network is continuous, and what it has learned changes no faster than its
                 weights are large: it runs a ramp through the jump and rings beside it.
How we know:     the largest step of y between neighbouring x, beside the 95 % quantile of all
                 steps; steps over gaps in x do not count; one input only.
What to try:     more units near the jump; a classifier for the two sides; accept the ramp.
When to ignore:  the ramp is narrow enough.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

# A third of the range in one step is visible as a jump in any plot; and it must stand out from the
# other steps, or the curve is merely steep or noisy.
SIZE, STANDS_OUT = 0.3, 10.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where one step is a third of the range and ten times the usual."""
    curve = evidence.curve
    if curve is None or curve.jump < SIZE or curve.jump < STANDS_OUT * curve.usual_step:
        return None
    return Finding(
        "target-jumps",
        f"the targets jump by {curve.jump:.0%} of their range at "
        f"x = {evidence.fit.in_units_of_x(curve.jump_at):.3g}",
        (
            Measure("largest step of y between neighbours", curve.jump, SIZE, "share of the range"),
            Measure("95 % of all steps", curve.usual_step, None, "share of the range"),
        ),
    )
