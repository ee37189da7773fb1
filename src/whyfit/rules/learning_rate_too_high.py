"""Steps so large that the loss jumps up again and again, or leaves all bounds.

What we see:     late in training the loss still rises by more than a tenth in many epochs, or it
                 became infinite or NaN, or the first steps were far longer than the loss allows, or
                 they switched off many ReLU units for good.
Why it looks odd: the fit is wherever the last jump left it: another curve at every run. A first jump
                 can throw ReLU units to where they are off for all data: then the curve is flat.
How we know:     the share of the epochs of the second half in which the loss rose by more than 10
                 %; the first epoch whose loss was not finite; and for plain gradient descent
                 learning rate x curvature of the loss at the start, which must stay below 2 for
                 steps along the steepest direction to shrink the error instead of growing it.
What to try:     a tenth or a hundredth of the learning rate; scaled inputs and targets.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# In a settled fit rises of a tenth are rare events of mini-batch noise; one epoch in five is not.
RISES = 0.2

# A fiftieth of the training; of short ones the first epoch, which is as early as is recorded.
FIRST_STEPS = 0.02

# One death in a wide layer is everyday with ReLU; see units-died-in-training.
PART = 0.25

# For a quadratic the bound is 2 (LeCun et al. 1998, section 4.6); networks can leave a region that is
# too steep for the rate and settle in a flatter one while it is under about twice that (Lewkowycz
# et al. 2020, arXiv 2003.02218).
BOUND = 4.0


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the loss jumps, stops being a number, or was too steep for the rate."""
    training = evidence.training
    if evidence.left_out:
        return None  # samples that are no numbers make the loss none at any rate
    said: list[str] = []
    measures: list[Measure] = []
    if training.first_nonfinite is not None:
        said.append(f"the loss stopped being a finite number at epoch {training.first_nonfinite}")
        measures.append(Measure("first epoch without a finite loss", training.first_nonfinite))
    elif training.rises > RISES:
        said.append(
            f"the loss rose by more than a tenth in {training.rises:.0%} of the later epochs"
        )
        measures.append(
            Measure("late epochs in which the loss jumped", training.rises, RISES, "share")
        )
    remedies = [Change("learning_rate", "/10"), Change("learning_rate", "/100")]
    if not said and (thrown := _thrown_out(evidence)):
        said.append(
            f"the first steps were so long that {len(thrown)} of {len(evidence.start_units)} hidden "
            f"units were off for all data from epoch {max(thrown)} on"
        )
        measures.append(Measure("units off since the first steps", len(thrown), 0, "units"))
        del remedies[1:]  # what kills within a few steps is not a hundred times too much
    used = _of_bound(evidence)
    if used > BOUND:  # the reason, of which all else is the symptom
        said = [
            f"learning rate x curvature of the loss was {used:.3g} at the start, and steps overshoot "
            "above 2"
        ]
        measures.append(Measure("learning rate x curvature at the start", used, BOUND))
        needed = f"/{10 ** int(np.ceil(np.log10(used)))}"
        remedies = list(dict.fromkeys((*remedies, Change("learning_rate", needed))))
    if not said:
        return None
    return Finding("learning-rate-too-high", "; ".join(said), tuple(measures), (), tuple(remedies))


def _thrown_out(evidence: Evidence) -> list[int]:
    """Epochs at which the first steps switched hidden units off for good, one for each unit; empty where
    these are no large part of any layer.
    """
    soon = max(1.0, FIRST_STEPS * evidence.training.epochs)
    early = [(layer, epoch) for layer, _unit, epoch in evidence.deaths if epoch <= soon]
    widths = Counter(unit.layer for unit in evidence.start_units)
    count = Counter(layer for layer, _epoch in early)
    if not any(count[layer] >= PART * widths[layer] for layer in count):
        return []
    return [epoch for _layer, epoch in early]


def _of_bound(evidence: Evidence) -> float:
    """Learning rate x curvature at the start; 0 where no bound is known.

    The curvature is that of the squared error, and only plain steps have the bound; momentum m
    raises it to 2 (1 + m).
    """
    steps, recipe = evidence.steps, evidence.fit.recipe
    if steps is None or recipe is None or recipe.optimizer.name != "sgd" or recipe.loss != "mse":
        return 0.0
    factor = recipe.loss_factor * (evidence.fit.y.shape[1] if recipe.reduction == "sum" else 1.0)
    if recipe.reduction == "sum":
        factor *= min(recipe.batch_size, len(evidence.fit.x))
    used = recipe.optimizer.learning_rate * steps.curvature * factor
    used /= 1.0 + recipe.optimizer.momentum
    return float(used) if np.isfinite(used) else 0.0
