"""Hidden units that sit at the bound of their activation.

What we see:     most outputs of a tanh or sigmoid layer lie within a hair of its bounds at the
                 start.
Why it looks odd: at the bound the slope is nearly zero: the layer passes on signs instead of values
                 and learns hardly at all, so that the fit is a staircase or flat.
How we know:     the share of (sample, unit) pairs at the start whose output is within half a
                 percent of the range from a bound (for tanh beyond 0.99, where the slope is below
                 0.02).
What to try:     standardise the inputs; a customary initializer.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# With standardised inputs and Glorot's weights under 2 percent saturate; one half means that the scale
# is wrong by a large factor (Glorot & Bengio 2010, figure 2, show layers at that point stuck).
SHARE = 0.5


def check(evidence: Evidence) -> Finding | None:
    """Suspect where half of some layer's outputs start saturated."""
    by_layer: dict[int, list[float]] = {}
    for unit in evidence.start_units:
        by_layer.setdefault(unit.layer, []).append(unit.saturated)
    shares = {layer: sum(values) / len(values) for layer, values in by_layer.items()}
    if not shares or max(shares.values()) < SHARE:
        return None
    layer = max(shares, key=lambda each: shares[each])
    remedies = [Change("kernel_initializer", "customary")]
    if layer == 1:
        remedies = [Change("input_range", "rescaled")]
    return Finding(
        "units-saturated",
        f"{shares[layer]:.0%} of the outputs of hidden layer {layer} are saturated at the start",
        (Measure("saturated outputs", shares[layer], SHARE, "share"),),
        tuple(
            (unit.layer, unit.unit)
            for unit in evidence.start_units
            if unit.layer == layer and unit.saturated >= SHARE
        ),
        tuple(remedies),
    )
