"""A seed in the script that does not reach the start weights.

What we see:     the script seeds a random generator, but not the one its framework draws weights from.
Why it looks odd: every run gives another curve although the script looks repeatable; a change that
                 seems to help may only have met another start.
How we know:     the seeding calls are watched. Keras 3 draws unseeded weights from Python's `random`
                 (keras/src/random/seed_generator.py, make_default_seed); `numpy.random.seed` fixes
                 only the order of the samples.
What to try:     keras.utils.set_random_seed(...) at the top of the script.
When to ignore:  one run is never evidence, seeded or not; seeding makes it repeatable, not right.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True


def check(evidence: Evidence) -> Finding | None:
    """Report seeding calls of a script whose weights are drawn unseeded all the same."""
    fit = evidence.fit
    if not fit.seeds or fit.seeds_weights:
        return None
    calls = ", ".join(sorted({f"{call.function}({call.seed})" for call in fit.seeds}))
    return Finding(
        "seed-does-not-seed-weights",
        f"{calls} does not fix the start weights: every run of this script starts elsewhere",
        (Measure("seeding calls that miss the weights", len(fit.seeds), 0, "calls"),),
    )
