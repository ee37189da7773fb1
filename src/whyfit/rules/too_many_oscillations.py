"""A target that swings more often than a network picks up by itself.

What we see:     the targets go up and down several times over the range of the input.
Why it looks odd: networks learn slow changes first (spectral bias): the first swings are followed, or
                 none, and the rest is cut off by a straight line.
How we know:     swings of at least a quarter of the range of y are counted, and given per standard
                 deviation of x, the scale on which initializers work; one input only.
What to try:     sin and cos of the input as further inputs; more units and much longer training; less
                 of the range at a time.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

# Rahaman et al. 2019 (arXiv 1806.08734): the time to learn a frequency grows steeply with it. One swing
# for each standard deviation is three and a half over evenly spread data; below, small networks
# of customary starts follow (docs/development-cases.md).
LIMIT = 1.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the targets swing more than once in a standard deviation of x."""
    curve = evidence.curve
    if curve is None or curve.per_deviation <= LIMIT:
        return None
    return Finding(
        "too-many-oscillations",
        f"the targets swing {curve.oscillations:.2g} times over the data, {curve.per_deviation:.2g} "
        "times for each standard deviation of x",
        (Measure("swings for each standard deviation of x", curve.per_deviation, LIMIT, "swings"),),
    )
