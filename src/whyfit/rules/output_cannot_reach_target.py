"""An output activation whose range does not hold the targets, or that is stuck at its bound.

What we see:     some targets lie outside what the last layer can produce; or they lie inside, and every
                 prediction sits at the bound all the same.
Why it looks odd: the fit is cut off flat at the bound, or sticks to it. At the bound the slope is zero,
                 so that no gradient brings a stuck output back.
How we know:     the range of the output activation (sigmoid 0 to 1, tanh -1 to 1, ReLU from 0) is
                 compared with every target as passed to `fit`. What even the best output in that
                 range must leave unexplained is computed; above the tolerance it is a proof. The
                 predictions at the bound are counted.
What to try:     a linear output; or targets scaled into the range.
When to ignore:  the targets outside are errors in the data.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# A target beyond the bound by less than this share of the targets' range cannot be seen in a plot.
SLACK = 0.01

# An output that is stuck is so for all samples; nine of ten leaves room for a few at the edge.
STUCK = 0.9


def check(evidence: Evidence) -> Finding | None:
    """Suspect where any target lies clearly outside the output's range."""
    recipe, y = evidence.fit.recipe, evidence.fit.y
    if recipe is None:
        return None
    low, high = recipe.layers[-1].range
    slack = SLACK * float(np.ptp(y))
    share = float(np.mean((y < low - slack) | (y > high + slack)))
    name = recipe.layers[-1].activation.name
    if share == 0.0:
        return _stuck(evidence, name, float(np.mean((y <= low + slack) | (y >= high - slack))))
    floor = evidence.floors.output_range
    least = f"; the best it can do leaves {floor:.3g} of the variance unexplained"
    return Finding(
        "output-cannot-reach-target",
        f"{share:.0%} of the targets lie outside what a {name} output can produce "
        f"({_reach(low, high)}){least if floor > evidence.tolerance else ''}",
        (
            Measure("targets out of reach", share, 0.0, "share"),
            Measure("least unexplained variance in reach", floor, evidence.tolerance),
        ),
        (),
        (Change("output_activation", "linear"),),
        proof="confirmed" if floor > evidence.tolerance else None,
    )


def _stuck(evidence: Evidence, name: str, there: float) -> Finding | None:
    """Suspect where nearly all predictions sit at a bound, and few targets (a share `there`) do, or the
    fit is no better than a constant.
    """
    stuck = evidence.identities.at_bound
    # Where the targets crowd at the bound it may be right to be there, unless that explains nothing.
    right = there > 1.0 - STUCK and evidence.fit.unexplained_variance < 1.0
    if not stuck >= STUCK or right:
        return None
    return Finding(
        "output-cannot-reach-target",
        f"{stuck:.0%} of the predictions sit at the bound of the {name} output, where it passes no "
        f"gradient, and {there:.0%} of the targets lie there",
        (Measure("predictions at the bound", stuck, STUCK, "share"),),
        (),
        (Change("output_activation", "linear"),),
    )


def _reach(low: float, high: float) -> str:
    return f"always {low:g}" if low == high else f"{_bound(low)} to {_bound(high)}"


def _bound(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "infinity"
