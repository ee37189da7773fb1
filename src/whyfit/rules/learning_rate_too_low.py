"""Steps so small that training hardly leaves its start.

What we see:     the loss falls smoothly and almost without end, or all steps together are shorter than
                 the way the weights have to go, or a schedule has lowered the rate to nothing long
                 before the end.
Why it looks odd: the curve stays near what it was at the start: flat or straight. The loss looks
                 converged because it falls so little each epoch.
How we know:     plain gradient descent overshoots where learning rate x curvature of the loss exceeds
                 2; the curvature is measured, and the rate compared with that bound. Adam and its kin
                 move a weight by about the learning rate a step, so that steps x learning rate is
                 the farthest it can get. For Adagrad, whose steps shrink, how far they went is
                 measured.
                 A schedule is summed up: its mean rate over its largest is the share of the steps
                 that counts.
What to try:     ten or a hundred times the learning rate, a thousand times where no weight can move by a
                 tenth of its size; Adam instead of plain SGD. A schedule that is moved on after each
                 batch may have been meant for each epoch.
When to ignore:  the fit meets its tolerance.
"""

from __future__ import annotations

import numpy as np

from whyfit.records.evidence import Evidence, StepMeasures
from whyfit.records.finding import Change, Finding, Measure
from whyfit.records.recipe import Recipe

# Convergence along the steepest direction takes about 1 / (rate x curvature) steps, and flat directions
# a hundred or more times that. A rate a hundred times below the bound of 2 gives that away.
SHARE_OF_BOUND = 0.02

# A loss at rest falls in half of the epochs, give or take a few percent; one that falls in three of four
# is on its way.
FALLS = 0.75

# Beyond this the targets are to blame, not the rate: no learning rate is a thousand times too small.
NOT_THE_RATE = 1000.0

# An exponential schedule that ends at a thousandth of its rate has a seventh of it in the mean. Where
# the mean is below a twentieth the steps that count are over early.
LEAST_SHARE = 0.05

# The rates of the epochs in a history (keras/src/callbacks/reduce_lr_on_plateau.py).
RATES = "learning_rate"

# Weights that can change by no more than a tenth of their size leave the curve much as it started.
LEAST_REACH = 0.1


def check(evidence: Evidence) -> Finding | None:
    """Suspect where the rate lies far below what the loss allows, or the steps end too near."""
    steps, training, recipe = evidence.steps, evidence.training, evidence.fit.recipe
    if steps is None or recipe is None or training.first_nonfinite is not None:
        return None
    if faded := _faded(evidence, recipe):
        return faded
    rate = recipe.optimizer.learning_rate
    remedies = (Change("learning_rate", "x10"), Change("learning_rate", "x100"))
    if steps.reach is not None:
        if 0.0 < steps.reach < LEAST_REACH * steps.smallest:
            return Finding(
                "learning-rate-too-low",
                f"all {training.steps} steps together can move a weight by {steps.reach:.2g}, and "
                f"the weights of every layer are of size {steps.smallest:.2g} or more",
                (Measure("steps x learning rate", steps.reach, LEAST_REACH * steps.smallest),),
                (),
                (*remedies, Change("learning_rate", "x1000")),
            )
        short = steps.distance / steps.reach if steps.reach > 0.0 else NOT_THE_RATE
        if not 1.0 < short < NOT_THE_RATE:
            return None
        return Finding(
            "learning-rate-too-low",
            f"all {training.steps} steps together can move a weight by {steps.reach:.2g}, and the "
            f"output weights have {steps.distance:.2g} to go",
            (Measure("steps x learning rate", steps.reach, steps.distance),),
            (),
            remedies,
        )
    if recipe.optimizer.name != "sgd":
        return _hardly_moved(evidence, steps)
    used = rate * steps.end_curvature
    if not used < SHARE_OF_BOUND * 2.0:
        return None
    if training.falls < FALLS:
        return None
    return Finding(
        "learning-rate-too-low",
        f"the learning rate could be {2.0 / used:.0f} times larger before steps overshoot, and the "
        f"loss was still creeping down in {training.falls:.0%} of the later epochs",
        (
            Measure("learning rate x curvature", used, SHARE_OF_BOUND * 2.0),
            Measure("late epochs in which the loss fell", training.falls, FALLS, "share"),
        ),
        (),
        (*remedies, Change("optimizer", "adam(0.003)")),
    )


def _faded(evidence: Evidence, recipe: Recipe) -> Finding | None:
    """Suspect a schedule that leaves too few steps that count, and those early: not one that rises."""
    fit, schedule = evidence.fit, recipe.schedule
    rates = recipe.learning_rates(len(fit.x), fit.epochs_done or recipe.epochs)
    followed = fit.history.get(RATES)  # where they follow the loss, the run alone tells
    if rates is None and followed:
        rates = np.array(followed)
    if rates is None or schedule is None or not np.max(rates) > 0.0:
        return None
    share = float(np.mean(rates) / np.max(rates))
    late = float(np.mean(rates[len(rates) // 2 :]) / np.max(rates))
    if max(share, late) >= LEAST_SHARE:
        return None
    steps = evidence.training.steps
    # PyTorch's loops move their schedules on by themselves; Keras's count steps by design.
    moved_on = recipe.framework == "torch" and schedule.per == "step"
    slower = (Change("schedule", "once an epoch"),) if moved_on else ()
    return Finding(
        "learning-rate-too-low",
        f"the schedule takes the learning rate from {np.max(rates):.2g} to {rates[-1]:.1g}: all {steps} "
        f"steps together go as far as {steps * share:.0f} steps at the largest rate",
        (Measure("mean rate of the schedule over its largest", share, LEAST_SHARE),),
        (),
        (*slower, Change("schedule", "none")),
    )


def _hardly_moved(evidence: Evidence, steps: StepMeasures) -> Finding | None:
    """Suspect where the output weights fell short of their way while the loss kept falling, for Adagrad
    and its kin: their steps shrink as they go, so that the rate does not say how far they get, and
    how far they got is measured instead.
    """
    training, start = evidence.training, evidence.fit.start
    if start is None or training.falls < FALLS:
        return None
    went = steps.moved[-1] * float(np.sqrt(np.mean(start.layers[-1].weight ** 2)))
    if not 0.0 < went < steps.distance < NOT_THE_RATE * went:
        return None
    return Finding(
        "learning-rate-too-low",
        f"all {training.steps} steps together moved the output weights by {went:.2g}, they had "
        f"{steps.distance:.2g} to go, and the loss still fell in {training.falls:.0%} of the later "
        "epochs",
        (
            Measure("way of the output weights", went, steps.distance),
            Measure("late epochs in which the loss fell", training.falls, FALLS, "share"),
        ),
        (),
        tuple(Change("learning_rate", times) for times in ("x10", "x100", "x1000")),
    )
