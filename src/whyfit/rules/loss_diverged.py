"""A loss that left all bounds.

What we see:     the loss became infinite or NaN, or ended far above where it began.
Why it looks odd: there is no fit: the curve is a line to infinity, a constant, or nothing.
How we know:     the first epoch whose loss is not a finite number, or the last loss over the first.
What to try:     scaled inputs and targets; a tenth or a hundredth of the learning rate.
When to ignore:  never.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# Rising tenfold from the first epoch's mean is no noise: an untrained network does better.
RISEN = 10.0


def check(evidence: Evidence) -> Finding | None:
    """Report a loss that is no number, or ten times what it was."""
    training = evidence.training
    if evidence.left_out:
        return None  # samples that are no numbers make the loss none from the start
    remedies = (
        Change("learning_rate", "/10"),
        Change("learning_rate", "/100"),
        Change("input_range", "scaled"),
        Change("target_range", "scaled"),
    )
    if training.first_nonfinite is not None:
        return Finding(
            "loss-diverged",
            f"the loss stopped being a finite number at epoch {training.first_nonfinite}",
            (Measure("first epoch without a finite loss", training.first_nonfinite),),
            (),
            remedies,
        )
    if not training.last_loss > RISEN * training.first_loss:
        return None
    risen = training.last_loss / training.first_loss if training.first_loss > 0.0 else RISEN
    return Finding(
        "loss-diverged",
        f"the loss ended {risen:.3g} times as high as it began",
        (Measure("last loss over first", risen, RISEN, "ratio"),),
        (),
        remedies,
    )
