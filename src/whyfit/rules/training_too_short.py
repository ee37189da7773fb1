"""Training that stopped while the loss was still falling.

What we see:     the loss of the last tenth of the epochs is clearly below that of the tenth before; or
                 training ended itself long before its last epoch.
Why it looks odd: the curve is on its way: often still flat or straight, right in shape and too small.
How we know:     relative fall between the mean losses of the last two tenths of the epochs; the epochs
                 done, where early stopping is on (in scikit-learn it always is: `tol` and
                 `n_iter_no_change`, and `tol` is no share of the loss).
What to try:     more epochs; a larger learning rate; no early stopping, or more patience.
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
    training, fit = evidence.training, evidence.fit
    if training.first_nonfinite is not None:
        return None
    stopping = fit.recipe.early_stopping if fit.recipe is not None else None
    wanted = fit.recipe.epochs if fit.recipe is not None else 0
    ended_itself = stopping is not None and fit.epochs_done < wanted
    if training.last_fall <= FALL and not ended_itself:
        return None
    said = (
        f"the loss was still falling at the end, by {training.last_fall:.0%} over the last tenth "
        f"of {training.epochs} epochs"
        if training.last_fall > FALL
        else "the loss had come to a halt"
    )
    remedies = [Change("epochs", "x4"), Change("learning_rate", "x10")]
    if ended_itself and stopping is not None:
        said = (
            f"training ended itself after {fit.epochs_done} of {wanted} epochs, {stopping.patience} "
            f"of them with less than {stopping.min_delta:g} of progress; {said}"
        )
        # More epochs alone would end at the same one.
        remedies = [Change("early_stopping", "none"), Change("learning_rate", "x10")]
    return Finding(
        "training-too-short",
        said,
        (Measure("fall of the loss in the last tenth", training.last_fall, FALL, "share"),),
        (),
        tuple(remedies),
    )
