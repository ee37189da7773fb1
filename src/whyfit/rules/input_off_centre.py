"""Inputs that lie to one side of zero.

What we see:     the mean of an input is farther from zero than its standard deviation.
Why it looks odd: a unit with zero bias bends at x = 0, which is then at the edge of the data or
                 outside it: each unit is on for nearly all samples or for none, so that the network
                 starts as a straight line.
How we know:     |mean| / standard deviation of each input as passed to `fit`; for data spread evenly
                 over [0, 1] it is 1.73, over [-1, 1] it is 0.
What to try:     scale the inputs to [-1, 1] instead of [0, 1], or standardise them.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# LeCun et al. 1998, "Efficient BackProp", section 4.3: the mean of each input over the data should be
# close to zero. At one standard deviation zero lies near the edge of most distributions.
LIMIT = 1.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where any input's mean is more than one standard deviation from zero."""
    offsets = [
        abs(column.mean) / column.deviation for column in evidence.data.x if column.deviation > 0
    ]
    worst = max(offsets, default=0.0)
    if worst <= LIMIT:
        return None
    low, high = evidence.input_range
    where = f"in [{low:g}, {high:g}]" if len(evidence.data.x) == 1 else "off zero"
    return Finding(
        "input-off-centre",
        f"the inputs lie {where}, their mean {worst:.2g} standard deviations from zero",
        (Measure("|mean| of an input", worst, LIMIT, "standard deviations"),),
        (),
        (Change("input_range", "centred"),),
    )
