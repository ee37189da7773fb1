"""A loss that does not measure what the fit is for.

What we see:     a loss for classes, for logarithms or for percentages on targets it is not made
                 for.
Why it looks odd: the network minimises what it was told to, and the curve is the best answer to
                 another question: cut off below zero, drawn to the smallest targets, or stuck
                 between 0 and 1.
How we know:     the name of the loss, and the targets: cross-entropy wants them in [0, 1],
                 logarithmic errors want them above -1 and treat all large errors as small,
                 percentages explode near zero.
What to try:     the mean squared error (mse), or the mean absolute one.
When to ignore:  the loss is what you want, and you judge the fit by it.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# A hundredth of their spread is near zero for a percentage: the error is divided by it.
NEAR_ZERO = 0.01


def check(evidence: Evidence) -> Finding | None:
    """Suspect losses whose own premise the targets do not meet."""
    recipe, y = evidence.fit.recipe, evidence.fit.y
    if recipe is None:
        return None
    loss = recipe.loss
    why, share = None, 0.0
    if "crossentropy" in loss or "cross_entropy" in loss:
        share = float(np.mean((y < 0.0) | (y > 1.0)))
        why = "is for probabilities" if share > 0.0 else None
    elif loss in ("msle", "mean_squared_logarithmic_error"):
        share = float(np.mean(y <= 0.0))
        why = "takes logarithms, and clips below zero" if share > 0.0 else None
    elif loss in ("mape", "mean_absolute_percentage_error"):
        share = float(np.mean(np.abs(y) < NEAR_ZERO * float(np.std(y))))
        why = "divides by the target" if share > 0.0 else None
    elif loss in ("hinge", "squared_hinge", "categorical_hinge"):
        share = float(np.mean(np.abs(np.abs(y) - 1.0) > NEAR_ZERO))
        why = "is for classes -1 and 1" if share > 0.0 else None
    if why is None:
        return None
    return Finding(
        "loss-does-not-fit-task",
        f"the loss {loss} {why}, and {share:.0%} of the targets are not of that kind",
        (Measure("targets the loss is not made for", share, 0.0, "share"),),
        (),
        (Change("loss", "mse"),),
    )
