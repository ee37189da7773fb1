"""A gradient that fades on its way to the first layers.

What we see:     the gradient in the first layer is many times smaller than that in the last.
Why it looks odd: the last layers learn at once, the first hardly ever: the output becomes the mean
                 of the targets, or a straight line, and stays there.
How we know:     the gradient of the loss at the start is computed on the data, layer by layer. A
                 sigmoid's slope is at most 1/4, so that each such layer takes at least three
                 quarters off.
What to try:     ReLU or tanh with a customary initializer; fewer layers.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# Glorot & Bengio 2010: healthy starts keep the gradients of all layers within about a factor of ten; a
# hundred takes three sigmoid layers.
RATIO = 0.01

# A saturated first layer is a fault of its own, with its own rule and cure.
SATURATED = 0.5


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the first layer's gradient is under a hundredth of the largest."""
    steps, recipe = evidence.steps, evidence.fit.recipe
    if steps is None or recipe is None or len(recipe.hidden) < 2:
        return None
    first, largest = steps.gradients[0], max(steps.gradients)
    saturated = [unit.saturated for unit in evidence.start_units if unit.layer == 1]
    if not 0.0 < first < RATIO * largest or sum(saturated) > SATURATED * len(saturated):
        return None
    return Finding(
        "vanishing-gradient",
        f"the gradient in the first of {len(recipe.layers)} layers is {largest / first:.0f} times "
        "smaller than the largest, at the start",
        (Measure("first layer's gradient over the largest", first / largest, RATIO, "ratio"),),
        (),
        (Change("activation", "relu"), Change("activation", "tanh")),
    )
