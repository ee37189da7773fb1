"""A `decay` of the learning rate that Keras 3 ignores.

What we see:     the script gives its optimizer `decay=`, as scripts for Keras 1 and 2 do.
Why it looks odd: Keras 3 warns once and trains on at the full learning rate. Where the rate was chosen
                 high because it would fall, the loss still jumps about at the end, and the curve is
                 wherever the last step left it.
How we know:     the call of the optimizer is watched. Then the fit is trained again with the learning
                 rate divided by 1 + decay x steps, as Keras 2 did: mostly a small decay changes little,
                 and then it is refuted.
What to try:     in place of decay= write learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate,
                 1, decay); or a smaller learning rate.
When to ignore:  the fit meets its tolerance; the rate was meant to stay.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure


def check(evidence: Evidence) -> Finding | None:
    """Suspect a decay that the script gave and the training did not have."""
    fit = evidence.fit
    decay, recipe = fit.ignored_decay, fit.recipe
    if decay is None:
        return None
    said = f"Keras 3 ignores decay={decay:g}: the learning rate did not fall"
    # Beside a schedule, Keras 2 took both: no change of ours makes that of it.
    alone = recipe is not None and recipe.schedule is None
    if recipe is not None and alone:
        rate, steps = recipe.optimizer.learning_rate, evidence.training.steps
        said = (
            f"Keras 3 ignores decay={decay:g}: the learning rate stayed {rate:.3g}, and was to fall to "
            f"{rate / (1.0 + decay * steps):.3g} in {steps} steps"
        )
    return Finding(
        "decay-ignored",
        said,
        (Measure("decay of the learning rate that was ignored", decay, 0.0, "per step"),),
        remedies=(Change("decay", repr(decay)),) if alone else (),
    )
