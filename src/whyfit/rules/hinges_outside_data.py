"""Hidden units that bend outside the range of the data.

What we see:     the hinges of most first-layer units lie to the left or right of every sample.
Why it looks odd: where no unit bends the network is a straight line, so the fit is straight over the
                 whole range or a large part of it.
How we know:     a first-layer unit bends at -bias / weight; the hinges are compared with the least and
                 the greatest x, at the start of training.
What to try:     scale the inputs to [-1, 1], where initializers put the hinges.
When to ignore:  the target is a straight line there. (Where one line through all the data meets the
                 tolerance, nothing is said.)
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# With symmetric starts and inputs in [-1, 1] about half of the hinges of PyTorch's default lie inside
# (|bias / weight| <= 1 for two equal uniforms); three quarters outside is clearly not that.
SHARE = 0.75


def check(evidence: Evidence) -> Finding | None:
    """Suspect where three quarters of the first layer's hinges start strictly outside the data."""
    if not evidence.has_hinges or evidence.straight_line_suffices:
        return None
    low, high = evidence.input_range
    first = [hinge for hinge in evidence.start_hinges if hinge.layer == 1]
    # A hinge at the very edge belongs to hinges-share-one-point, not here.
    outside = [hinge for hinge in first if hinge.position < low or hinge.position > high]
    if not first or len(outside) < SHARE * len(first):
        return None
    return Finding(
        "hinges-outside-data",
        f"{len(outside)} of {len(first)} first-layer units bend outside the data "
        f"[{low:g}, {high:g}] at the start",
        (Measure("hinges outside the data", len(outside) / len(first), SHARE, "share"),),
        tuple((hinge.layer, hinge.unit) for hinge in outside),
        (Change("input_range", "centred"), Change("bias_initializer", "spread")),
    )
