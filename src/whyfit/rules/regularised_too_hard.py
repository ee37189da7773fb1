"""A penalty or dropout stronger than the data.

What we see:     the loss that was minimised is much larger than the error of the fit.
Why it looks odd: the fit is flattened towards a constant: the penalty pays for every bend.
How we know:     the mean squared error of the fit is computed and taken from the loss that was
                 reported at the end; what is left is the penalty, or what dropout adds.
What to try:     a tenth of the penalty, or none; no dropout in layers of a few units.
When to ignore:  the penalty is meant to win over the data.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

# Optimal penalties are a small part of the loss; where a fifth of it is penalty and the fit misses its
# tolerance, the two compete.
SHARE = 0.2

# While the loss still falls fast its mean over an epoch lies above that at the epoch's end.
SETTLED = 0.05


def check(evidence: Evidence) -> Finding | None:
    """Suspect where a fifth of a settled loss is no error of the fit."""
    identities, left = evidence.identities, evidence.fit.unexplained_variance
    reported = identities.reported
    # NaN where the loss is not known to be the mean squared error: then nothing is said.
    if not reported > left or evidence.training.last_fall > SETTLED:
        return None
    share = 1.0 - left / reported
    broadcast = abs(reported - identities.broadcast) < 0.05 * reported
    if share < SHARE or broadcast or evidence.training.rises > 0.0:
        return None
    return Finding(
        "regularised-too-hard",
        f"{share:.0%} of the loss is no error of the fit but what penalties or dropout add",
        (Measure("share of the loss beside the error", share, SHARE, "share"),),
    )
