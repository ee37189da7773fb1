"""A metric that says nothing about a fit of numbers.

What we see:     accuracy is reported for a regression.
Why it looks odd: accuracy counts predictions that equal the target; for real numbers that is about
                 never, so it stays at zero (or at a constant) however good the fit is.
How we know:     the names of the metrics, and the targets: more than two values, or not whole
                 numbers.
What to try:     mae, or R^2, which is one minus the unexplained variance given here.
When to ignore:  the targets are classes after all.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# As many distinct targets as samples are numbers; a handful of whole ones may be classes.
MOST_CLASSES = 20


def check(evidence: Evidence) -> Finding | None:
    """Report accuracy on targets that are no classes."""
    fit = evidence.fit
    names = [name for name in (*fit.metrics, *fit.history) if "acc" in name.lower()]
    values = np.unique(fit.y)
    whole = bool(np.all(values == np.round(values)))
    if not names or (whole and len(values) <= MOST_CLASSES):
        return None
    return Finding(
        "metric-misleads",
        f"{names[0]} counts predictions that equal their target, and the targets are "
        f"{len(values)} different numbers; the fit explains "
        f"{max(0.0, 1.0 - fit.unexplained_variance):.0%} of their variance",
        (Measure("different targets", len(values), MOST_CLASSES, "values"),),
    )
