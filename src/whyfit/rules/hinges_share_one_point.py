"""Hidden units that all bend at the same x.

What we see:     two or more units of the first layer have their hinge at the same place at the start.
Why it looks odd: units that bend together add up to one bend, and the gradient moves them together:
                 the curve has fewer corners than the layer has units.
How we know:     a first-layer unit bends at -bias / weight. With zero biases that is x = 0 for every
                 unit, whatever its weight.
What to try:     spread the biases over the range of the inputs; where they are spread already and the
                 inputs are large, scale the inputs.
When to ignore:  the fit meets its tolerance: training can pull the hinges apart. A target that is a
                 straight line needs no corners, and nothing is said there.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence, Hinge
from whyfit.records.finding import Change, Finding, Measure

# Hinges nearer than this share of the data's range give a curve that no plot tells from one bend.
NEAR = 0.01

# Equal biases of zero bend at one point but for rounding.
EXACT = 1e-6


def check(evidence: Evidence) -> Finding | None:
    """Suspect where at least half of the first layer's hinges, and two or more, coincide."""
    if not evidence.has_hinges or evidence.straight_line_suffices:
        return None
    first = [hinge for hinge in evidence.start_hinges if hinge.layer == 1]
    low, high = evidence.input_range
    together = max(
        (_near(first, hinge.position, NEAR * (high - low)) for hinge in first),
        key=len,
        default=[],
    )
    if len(together) < 2 or len(together) < 0.5 * len(first):
        return None
    place = sum(hinge.position for hinge in together) / len(together)
    if abs(place) <= EXACT * (high - low):
        place = 0.0
    shown = evidence.fit.in_units_of_x(place)
    return Finding(
        "hinges-share-one-point",
        f"{len(together)} of {len(first)} first-layer units bend at the same point, x = {shown:.6g}",
        (
            Measure("hinges that coincide", len(together), 1, "hinges"),
            Measure("common position", place, None, "x as passed to fit"),
        ),
        tuple((hinge.layer, hinge.unit) for hinge in together),
        (
            Change("bias_initializer", "spread")
            if _spread(together) <= EXACT * (high - low)
            else Change("input_range", "scaled"),
        ),
    )


def _near(hinges: list[Hinge], position: float, distance: float) -> list[Hinge]:
    return [hinge for hinge in hinges if abs(hinge.position - position) <= distance]


def _spread(hinges: list[Hinge]) -> float:
    positions = [hinge.position for hinge in hinges]
    return max(positions) - min(positions)
