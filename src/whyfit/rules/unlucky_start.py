"""A fit that failed although most starts of the same script succeed.

What we see:     this run missed its tolerance, and most retrainings of the untouched script meet it.
Why it looks odd: nothing in the script is wrong, so no change seems to matter: the next run is better
                 with or without it.
How we know:     the untouched recipe is trained from many fresh starts, and the successes are counted.
What to try:     run it again; keep the best of a few; or make it robust (wider, other start).
When to ignore:  never blame a setting for it.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding


def check(evidence: Evidence) -> Finding | None:
    """One fit cannot tell luck; the study judges this from the baseline's fresh starts."""
    return None
