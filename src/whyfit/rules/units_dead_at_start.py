"""Hidden units that are off for every sample before training begins.

What we see:     the unit's pre-activation is at most zero at every x in the data, so that its output
                 is zero and no gradient reaches its weights: an optimizer can never wake it.
Why it looks odd: the curve has as many bends fewer as units are dead, and is often a straight line
                 or has the shape of a single ReLU.
How we know:     the start weights are run on all the data, and the units that are off everywhere are
                 counted. With inputs of one sign and zero biases half of all units start so: those
                 whose weight has the other sign.
What to try:     centre the inputs (range [-1, 1]); spread the biases; leaky ReLU.
When to ignore:  the fit meets its tolerance with the units that are left; the target is a straight line
                 (or a plane), which two units for each dimension pass on.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# A wide layer loses little with a few dead units (Lu et al. 2019, arXiv 1903.06733, treat the whole
# layer); from a quarter on the layer is effectively narrower than it was written.
SHARE = 0.25


def check(evidence: Evidence) -> Finding | None:
    """Suspect dead units where a quarter of some layer never switches on."""
    layers = {unit.layer for unit in evidence.start_units}
    dead = [unit for unit in evidence.start_units if unit.state == "off"]
    suspect = []
    for layer in sorted(layers):
        width = sum(unit.layer == layer for unit in evidence.start_units)
        here = [unit for unit in dead if unit.layer == layer]
        if evidence.straight_line_suffices and width - len(here) >= _enough_for_a_line(evidence):
            continue
        if here and len(here) >= SHARE * width:
            suspect += here
    if not suspect:
        return None
    total = len(evidence.start_units)
    remedies = [Change("bias_initializer", "spread"), Change("activation", "leaky_relu")]
    if any(unit.layer == 1 for unit in suspect):
        remedies.insert(0, Change("input_range", "centred"))
    return Finding(
        "units-dead-at-start",
        f"{len(suspect)} of {total} hidden units are off for every sample at the start "
        "and get no gradient",
        (Measure("dead units at the start", len(suspect), 0, "units"),),
        tuple((unit.layer, unit.unit) for unit in suspect),
        tuple(remedies),
    )


def _enough_for_a_line(evidence: Evidence) -> int:
    """Live units through which a layer can pass any linear function that maps inputs to outputs: two
    that face each other make one direction, w x = relu(w x) - relu(-w x).
    """
    return 2 * min(evidence.fit.x.shape[1], evidence.fit.y.shape[1])
