"""Hidden units that were alive at the start and are off for every sample at the end.

What we see:     a unit that was on for some samples is off for all of them from some epoch on.
Why it looks odd: a bend disappears during training, and the error rises or stops falling there.
How we know:     the weights recorded after each epoch are run on the data; the epoch of death is the
                 first from which on the unit stays off.
What to try:     a smaller learning rate; leaky ReLU.
When to ignore:  the fit meets its tolerance with the units that are left.
"""

from __future__ import annotations

from collections import Counter

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# One death in a wide layer is everyday with ReLU; a quarter of a layer is a narrower network.
SHARE = 0.25


def check(evidence: Evidence) -> Finding | None:
    """Suspect a step too large where a quarter of some layer died on the way."""
    widths = Counter(unit.layer for unit in evidence.start_units)
    died = Counter(layer for layer, _unit, _epoch in evidence.deaths)
    if not any(count >= SHARE * widths[layer] for layer, count in died.items()):
        return None
    first = min(epoch for _layer, _unit, epoch in evidence.deaths)
    count = len(evidence.deaths)
    return Finding(
        "units-died-in-training",
        f"{count} of {len(evidence.start_units)} hidden units died during training, "
        f"the first at epoch {first}",
        (
            Measure("units died", count, 0, "units"),
            Measure("first death", first, None, "epoch"),
        ),
        tuple((layer, unit) for layer, unit, _epoch in evidence.deaths),
        # Leaky ReLU would also wake units that were dead from the start, and so proves nothing here.
        (Change("learning_rate", "/10"),),
    )
