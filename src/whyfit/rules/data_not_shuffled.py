"""Sorted samples in batches that are never shuffled.

What we see:     the samples lie in the order of an input, and each epoch takes them as they lie.
Why it looks odd: each batch shows a small piece of the curve, and the network forgets the others
                 while it learns that one: the fit is best where the epoch ends, and waves from
                 epoch to epoch.
How we know:     the shuffle argument of `fit`, and the share of the steps from sample to sample
                 that go one way.
What to try:     shuffle=True, the default.
When to ignore:  the fit meets its tolerance; a batch holds all the data.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# Shuffled data go each way half of the time; nine of ten is an order.
SORTED = 0.9


def check(evidence: Evidence) -> Finding | None:
    """Suspect sorted data in unshuffled batches."""
    recipe, data = evidence.fit.recipe, evidence.data
    if recipe is None or recipe.shuffle or recipe.batch_size >= data.samples:
        return None
    if data.sorted_share < SORTED:
        return None
    return Finding(
        "data-not-shuffled",
        f"the samples are sorted ({data.sorted_share:.0%} of the steps go one way) and are never "
        f"shuffled: a batch shows {recipe.batch_size} of {data.samples}, a piece of the curve",
        (
            Measure(
                "steps from sample to sample that go one way", data.sorted_share, SORTED, "share"
            ),
        ),
        (),
        (Change("shuffle", "every epoch"),),
    )
