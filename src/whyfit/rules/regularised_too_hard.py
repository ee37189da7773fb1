"""A penalty, a decay or dropout that is too strong for the network.

What we see:     much of what training minimises is no error of the fit; or dropout silences a large
                 part of a small layer at every step.
Why it looks odd: training trades the fit for small weights, or learns a curve that survives missing
                 units: the curve has the right shape and is flattened towards the mean.
How we know:     penalties at the start and at the end against the error there; the scatter that
                 dropout gives the sum of a layer's outputs; the loss the framework reported against
                 the error of the end network on the same data.
What to try:     a tenth of the penalty, or none; no dropout on layers of a few units.
When to ignore:  the fit meets its tolerance; the loss is still falling fast.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure
from whyfit.records.recipe import Recipe

# Optimal penalties are a small part of the loss; where a fifth of it is penalty and the fit misses its
# tolerance, the two compete. A decay that pulls a fifth as hard as a full step likewise.
SHARE = 0.2

# Dropout acts like a penalty on the square of the outputs of this relative size (Wager et al. 2013):
# one tenth of it already takes more than the usual tolerance from the fit.
SCATTER = 0.1

# While the loss still falls fast its mean over an epoch lies above that at the epoch's end.
SETTLED = 0.05


def check(evidence: Evidence) -> Finding | None:
    """Suspect large penalties, dropout in narrow layers, and a settled loss that is no error."""
    measured, recipe = evidence.regularisation, evidence.fit.recipe
    if recipe is None:
        return None
    said: list[str] = []
    measures: list[Measure] = []
    remedies: list[Change] = []
    if max(measured.penalty, measured.decay) >= SHARE:
        pull = measured.penalty >= SHARE
        said.append(
            f"penalties on the weights make up to {measured.penalty:.0%} of what is minimised"
            if pull
            else f"the weight decay pulls {measured.decay:.0%} as hard as a step of full length"
        )
        measures.append(
            Measure("penalties over penalties and error", measured.penalty, SHARE, "share")
        )
        remedies.append(Change("weight_penalty", "none"))
    if measured.dropout >= SCATTER:
        said.append(
            f"dropout makes the sum of a layer scatter by {measured.dropout**0.5:.0%} of its size "
            "from step to step"
        )
        measures.append(Measure("variance that dropout adds", measured.dropout, SCATTER, "share"))
        remedies.append(Change("dropout", "none"))
    if not said:
        return _of_the_loss(evidence)
    return Finding("regularised-too-hard", "; ".join(said), tuple(measures), (), tuple(remedies))


def _of_the_loss(evidence: Evidence) -> Finding | None:
    """Where the recipe shows nothing large: a settled loss well above the error it stands for."""
    identities, left, recipe = (
        evidence.identities,
        evidence.fit.unexplained_variance,
        evidence.fit.recipe,
    )
    reported = identities.reported
    if recipe is None or not _regularised(recipe):
        return None
    if recipe.early_stopping is not None and recipe.early_stopping.restore_best:
        return None  # the last loss is not that of the weights which are put back
    # NaN where the loss is not known to be the mean squared error: then nothing is said.
    if not reported > left or evidence.training.last_fall > SETTLED:
        return None
    share = 1.0 - left / reported
    broadcast = abs(reported - identities.broadcast) < 0.05 * reported
    if share < SHARE or broadcast or evidence.training.rises > 0.0:
        return None
    return Finding(
        "regularised-too-hard",
        f"{share:.0%} of the loss is no error of the fit but what penalties or dropout add",
        (Measure("share of the loss beside the error", share, SHARE, "share"),),
        (),
        (Change("weight_penalty", "none"), Change("dropout", "none")),
    )


def _regularised(recipe: Recipe) -> bool:
    """Whether there is anything that could add to the loss."""
    return recipe.input_dropout > 0.0 or any(
        each.dropout > 0.0 or each.kernel_penalty or each.bias_penalty or each.activity_penalty
        for each in recipe.layers
    )
