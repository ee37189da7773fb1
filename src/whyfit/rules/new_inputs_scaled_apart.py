"""New inputs scaled by constants of their own.

What we see:     the inputs that the network is asked about went through a scaler that was fitted to
                 them, not to the training inputs.
Why it looks odd: the same x is one number in training and another one here, so that the network answers
                 for another place: the curve comes out shifted or stretched, and right again where
                 the two data sets have the same range.
How we know:     the arrays that scalers return are recognised where the network is asked; they are
                 turned back by the constants they were made with, and scaled by those of the training
                 inputs.
What to try:     fit the scaler once, to the training inputs; for all others `transform`, not
                 `fit_transform`.
When to ignore:  each data set is meant to be judged relative to itself.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# The mean and deviation of a hundred samples are off by this share of a deviation by chance.
CHANCE = 0.1


def check(evidence: Evidence) -> Finding | None:
    """Report inputs that lie clearly elsewhere than the training's scaler would have put them."""
    apart = evidence.fit.asked_apart
    if apart is None or not apart.shift > CHANCE:
        return None
    return Finding(
        "new-inputs-scaled-apart",
        f"{apart.points} inputs asked for were scaled by constants of their own, which puts them "
        f"{apart.shift:.2g} deviations away from where the constants of the training inputs would",
        (Measure("shift of inputs asked for", apart.shift, CHANCE, "deviations"),),
    )
