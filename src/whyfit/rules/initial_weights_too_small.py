"""Start weights far smaller than the layers need.

What we see:     the initializer draws weights much smaller than the customary size for the layer.
Why it looks odd: a signal shrinks in every layer, and the gradients with it: training spends its time
                 growing weights, and for ReLU grows them all in the direction the data's slope gives.
How we know:     the root mean square the initializer draws is divided by the customary one: Glorot's
                 sqrt(2 / (fan_in + fan_out)), or He's sqrt(2 / fan_in) before ReLU if that is less.
What to try:     he_uniform before ReLU, glorot_uniform otherwise.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# Glorot and He differ by at most a factor 2 for layers of like width; below a quarter no customary
# choice is meant.
RATIO = 0.25


def check(evidence: Evidence) -> Finding | None:
    """Suspect where every layer, or any hidden one, starts below a quarter of the customary size."""
    recipe, start = evidence.fit.recipe, evidence.start
    if recipe is None or start is None or not recipe.hidden:
        return None
    ratios = [drawn / usual for drawn, usual in zip(start.drawn, start.customary, strict=True)]
    smallest = min(ratios[:-1])
    if smallest >= RATIO:
        return None
    layer = recipe.hidden[ratios.index(smallest)]
    return Finding(
        "initial-weights-too-small",
        f"{layer.kernel_initializer} draws weights {1 / smallest:.0f} times smaller than is "
        "customary for the layer"
        if smallest > 0.0
        else f"{layer.kernel_initializer} starts every weight of a layer at zero",
        (Measure("start weights over customary size", smallest, RATIO, "ratio"),),
        (),
        (Change("kernel_initializer", "customary"),),
    )
