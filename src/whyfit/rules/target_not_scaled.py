"""Targets whose size is far from one.

What we see:     the standard deviation of the targets is above 10 or below 0.1, or their mean lies
                 many standard deviations from zero.
Why it looks odd: the output starts at about the size of one. For large targets the gradient is huge
                 where steps follow it (plain gradient descent) and the way too long where steps are
                 normalised (Adam moves a weight by at most about the learning rate a step): the fit
                 stays a small flat curve far below the data. For small ones the error looks
                 finished before it has begun.
How we know:     mean and standard deviation of the targets as passed to `fit`, and how far the
                 output weights must go for an output of that size, beside steps x learning rate.
What to try:     standardise the targets and turn the predictions back.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# As for inputs: a factor of ten is beyond what initial scatter and customary learning rates cover.
SIZE = 10.0

# An offset of more than ten standard deviations leaves less than 1 percent of the first error to the
# shape of the curve: training is busy with the mean.
OFFSET = 10.0


# Of a million samples of a normal distribution the farthest lies five deviations out, of a thousand of
# an exponential one seven.
TAIL = 10.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect targets of the wrong size, or far from zero compared with their spread."""
    columns = [column for column in evidence.data.y if column.deviation > 0.0]
    if not columns:
        return None
    worst = max(columns, key=lambda each: max(each.deviation, 1.0 / each.deviation))
    offset = max(abs(each.mean) / each.deviation for each in columns)
    size = worst.deviation
    if max(size, 1.0 / size) > SIZE:
        steps = evidence.steps
        way = ""
        measures = [Measure("standard deviation of y", size, SIZE if size > 1 else 1 / SIZE)]
        if steps is not None and steps.reach is not None and steps.distance > steps.reach:
            way = (
                f"; the output weights have {steps.distance:.2g} to go, and all steps together "
                f"reach {steps.reach:.2g}"
            )
            measures.append(Measure("way of the output weights", steps.distance, steps.reach))
        return Finding(
            "target-not-scaled",
            f"the standard deviation of the targets is {size:.3g}{way}",
            tuple(measures),
            (),
            (Change("target_range", "rescaled"),),
        )
    if offset > OFFSET:
        return Finding(
            "target-not-scaled",
            f"the mean of the targets is {offset:.3g} times as large as their spread",
            (Measure("|mean| of y", offset, OFFSET, "standard deviations"),),
            (),
            (Change("target_range", "centred"),),
        )
    if evidence.data.tail > TAIL:
        return Finding(
            "target-not-scaled",
            f"a target lies {evidence.data.tail:.0f} standard deviations from the mean: a few samples "
            "make most of the loss",
            (Measure("farthest target", evidence.data.tail, TAIL, "standard deviations"),),
        )
    return None
