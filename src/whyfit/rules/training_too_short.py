"""Training that stopped while the loss was still falling, or before it had begun.

What we see:     the loss of the last tenth of the epochs is clearly below that of the tenth before; or
                 training ended itself long before its last epoch; or there were few steps at all.
Why it looks odd: the curve is on its way: often still flat or straight, right in shape and too small.
How we know:     relative fall between the mean losses of the last two tenths of the epochs; the epochs
                 done, where early stopping is on (in scikit-learn it always is: `tol` and
                 `n_iter_no_change`, and `tol` is no share of the loss); the number of steps, since a
                 loss that has yet to begin to fall looks like one at rest.
What to try:     more epochs; a larger learning rate; no early stopping, or more patience.
When to ignore:  the fit meets its tolerance already.
"""

from __future__ import annotations

import math

import numpy as np

from whyfit.records.evidence import Evidence, TrainingMeasures
from whyfit.records.finding import Change, Finding, Measure
from whyfit.records.fit import Fit
from whyfit.records.schedule import EarlyStopping

# A fall of 2 percent a tenth, kept up, takes a fifth off the loss in as many epochs again: worth
# waiting for. Mini-batch noise in the mean of a tenth is far smaller.
FALL = 0.02

# At Adam's default rate of 0.001 so many steps move a weight by 0.3 at most, less than a customary start
# gives it in a small layer; scikit-learn's default 200 epochs are 200 steps for up to 200 samples.
FEW_STEPS = 300

# A loss at rest falls in half of the epochs, give or take a few percent; see learning-rate-too-low.
CREEPING = 0.75

# Most of the held-out samples: their loss then tells of extrapolation, not of the fit.
MOSTLY = 0.5

# What is tried then, where four times the epochs are not as many.
ENOUGH_STEPS = 2000


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the loss fell by more than 2 percent at the end, or the steps were few."""
    training, fit = evidence.training, evidence.fit
    if training.first_nonfinite is not None:
        return None
    stopping = fit.recipe.early_stopping if fit.recipe is not None else None
    wanted = fit.recipe.epochs if fit.recipe is not None else 0
    ended_itself = stopping is not None and fit.epochs_done < wanted
    few = 0 < training.steps < FEW_STEPS
    if training.last_fall <= FALL and not ended_itself and not few:
        return None
    said = (
        f"the loss was still falling at the end, by {training.last_fall:.0%} over the last "
        f"{_tenth(training.epochs)}"
        if training.last_fall > FALL
        else _hardly_falling(training)
        if ended_itself
        else f"the training took {training.steps} steps in all, of {_epochs(training.epochs)}"
    )
    remedies = [Change("epochs", "x4"), *_more(training), Change("learning_rate", "x10")]
    if ended_itself and stopping is not None:
        said = (
            f"training ended itself after {fit.epochs_done} of {wanted} epochs, "
            f"{max(1, stopping.patience)} of them {_progress(stopping)}{_elsewhere(fit)}; {said}"
        )
        # More epochs alone would end at the same one.
        remedies = [Change("early_stopping", "none"), Change("learning_rate", "x10")]
    return Finding(
        "training-too-short",
        said,
        (
            Measure("fall of the loss in the last tenth", training.last_fall, FALL, "share"),
            Measure("steps of the training", training.steps, FEW_STEPS, "steps"),
        ),
        (),
        tuple(remedies),
    )


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _tenth(count: int) -> str:
    """What `last_fall` compares: two tenths of the epochs, or of few the last two."""
    return f"tenth of {_epochs(count)}" if count >= 20 else f"of {_epochs(count)}"


def _more(training: TrainingMeasures) -> list[Change]:
    """Epochs that make ENOUGH_STEPS, where these are more than four times as many."""
    if not 0 < training.steps < ENOUGH_STEPS / 4:
        return []
    return [Change("epochs", str(math.ceil(training.epochs * ENOUGH_STEPS / training.steps)))]


def _hardly_falling(training: TrainingMeasures) -> str:
    """Of a training that ended itself: whether its loss was at rest or on its way, however slowly."""
    if training.falls < CREEPING:
        return "the loss had come to a halt"
    part = "tenth of them" if training.epochs >= 20 else "of them"
    return f"the loss fell by {training.last_fall:.1%} over the last {part}"


def _progress(stopping: EarlyStopping) -> str:
    least = stopping.min_delta
    said = f"with less than {least:g} of progress" if least > 0.0 else "without progress"
    return said if stopping.monitor == "loss" else f"{said} on the held-out samples"


def _elsewhere(fit: Fit) -> str:
    """Keras holds out the last rows: of data in order of x, a stretch that training never sees."""
    if fit.held_out is None:
        return ""
    low, high = fit.x.min(axis=0), fit.x.max(axis=0)
    outside = float(np.mean(np.any((fit.held_out.x < low) | (fit.held_out.x > high), axis=1)))
    if outside <= MOSTLY:
        return ""
    return f" ({outside:.0%} of which lie outside the data that are learned from)"
