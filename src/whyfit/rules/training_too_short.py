"""Training that stopped while the loss was still falling.

What we see:     the loss of the last tenth of the epochs is clearly below that of the tenth before.
Why it looks odd: the curve is on its way: often still flat or straight, right in shape and too small.
How we know:     relative fall between the mean losses of the last two tenths of the epochs.
What to try:     more epochs; a larger learning rate.
When to ignore:  the fit meets its tolerance already.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# A fall of 2 percent a tenth, kept up, takes a fifth off the loss in as many epochs again: worth
# waiting for. Mini-batch noise in the mean of a tenth is far smaller.
FALL = 0.02


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the loss fell by more than 2 percent at the end."""
    training = evidence.training
    if training.first_nonfinite is not None or training.last_fall <= FALL:
        return None
    return Finding(
        "training-too-short",
        f"the loss was still falling at the end, by {training.last_fall:.0%} over the last tenth "
        f"of {training.epochs} epochs",
        (Measure("fall of the loss in the last tenth", training.last_fall, FALL, "share"),),
        (),
        (Change("epochs", "x4"), Change("learning_rate", "x10")),
    )
