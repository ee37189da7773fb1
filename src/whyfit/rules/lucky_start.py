"""A fit that succeeded although most starts of the same script fail.

What we see:     this run met its tolerance, and most retrainings of the untouched script miss it.
Why it looks odd: it does not, until the script is run again.
How we know:     the untouched recipe is trained from many fresh starts, and the successes are counted.
What to try:     what mends the failing starts: the study lists the causes as for a failed fit.
When to ignore:  this one trained network is all that is needed.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding


def check(evidence: Evidence) -> Finding | None:
    """One fit cannot tell luck; the study judges this from the baseline's fresh starts."""
    return None
