"""Steps so large that the loss jumps up again and again, or leaves all bounds.

What we see:     late in training the loss still rises by more than a tenth in many epochs, or it became
                 infinite or NaN.
Why it looks odd: the fit is wherever the last jump left it: another curve at every run.
How we know:     the share of the epochs of the second half in which the loss rose by more than 10 %,
                 and the first epoch whose loss was not finite.
What to try:     a tenth or a hundredth of the learning rate; scaled inputs and targets.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# In a settled fit rises of a tenth are rare events of mini-batch noise; one epoch in five is not.
RISES = 0.2

# The loss of a fit this good jumps by a tenth all the time, at a height that no plot shows.
GOOD_ENOUGH = 0.05


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the loss jumps in a fifth of the late epochs or stops being a number."""
    training = evidence.training
    remedies = (Change("learning_rate", "/10"), Change("learning_rate", "/100"))
    if training.first_nonfinite is not None:
        return Finding(
            "learning-rate-too-high",
            f"the loss stopped being a finite number at epoch {training.first_nonfinite}",
            (Measure("first epoch without a finite loss", training.first_nonfinite, None),),
            (),
            remedies,
        )
    if training.rises <= RISES or evidence.fit.unexplained_variance <= GOOD_ENOUGH:
        return None
    return Finding(
        "learning-rate-too-high",
        f"the loss rose by more than a tenth in {training.rises:.0%} of the later epochs",
        (Measure("late epochs in which the loss jumped", training.rises, RISES, "share"),),
        (),
        remedies,
    )
