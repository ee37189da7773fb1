"""Hidden units that start with the same weights.

What we see:     units of one layer have equal weights and biases before training.
Why it looks odd: equal units get equal gradients and stay equal for ever: the layer acts as a single
                 unit, and the curve has one bend or one step however wide the layer is.
How we know:     the start weights are compared, unit by unit; equality is exact, not approximate.
What to try:     a random initializer: he_uniform before ReLU, glorot_uniform otherwise.
When to ignore:  never, if the layer was meant to have more than one unit.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# Random draws in float32 are never equal twice in a layer; two equal units mean a constant start. Half
# of the units are asked for, so that one doubled unit of a hand-made start is no fault.
SHARE = 0.5


def check(evidence: Evidence) -> Finding | None:
    """Suspect where at least half of all hidden units equal another one of their layer."""
    equal, total = evidence.identities.equal_units, len(evidence.start_units)
    if equal < 2 or equal < SHARE * total:
        return None
    return Finding(
        "units-start-identical",
        f"{equal} of {total} hidden units start with the same weights as another of their layer, "
        "and get the same gradients",
        (Measure("units equal to another at the start", equal, 1, "units"),),
        (),
        (Change("kernel_initializer", "customary"),),
    )
