"""Start weights far larger than the layers need.

What we see:     the initializer draws weights much larger than the customary size for the layer.
Why it looks odd: signals grow in every layer. The curve starts as a wild zigzag or a staircase many
                 times the size of the targets, and training has to undo it first; tanh and sigmoid
                 units start saturated.
How we know:     the root mean square the initializer draws is divided by the customary one: Glorot's
                 sqrt(2 / (fan_in + fan_out)) or He's sqrt(2 / fan_in), whichever is more.
What to try:     he_uniform before ReLU, glorot_uniform otherwise.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# The mirror image of initial-weights-too-small: Glorot and He differ by at most a factor 2 for layers
# of like width; beyond four times no customary choice is meant.
RATIO = 4.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where any layer starts above four times the customary size."""
    recipe, start = evidence.fit.recipe, evidence.start
    if recipe is None or start is None:
        return None
    if not recipe.hidden and recipe.layers[-1].activation.name == "linear":
        return None  # a linear regression: it can start anywhere
    ratios = [drawn / usual for drawn, usual in zip(start.drawn, start.largest, strict=True)]
    largest = max(ratios)
    if largest <= RATIO:
        return None
    initializer = recipe.layers[ratios.index(largest)].kernel_initializer
    return Finding(
        "initial-weights-too-large",
        f"{initializer} draws weights {largest:.0f} times larger than is customary for the layer",
        (Measure("start weights over customary size", largest, RATIO, "ratio"),),
        (),
        (Change("kernel_initializer", "customary"),),
    )
