"""A network without any non-linear activation.

What we see:     every layer is linear.
Why it looks odd: linear layers in a row are one linear layer: the fit is a straight line (a plane), of
                 whatever depth and width the network is.
How we know:     the layers' activations; and no straight line does better than the least-squares line,
                 whose error is computed. If it lies above the tolerance, that is a proof.
What to try:     an activation on the hidden layers; a hidden layer, if there is none.
When to ignore:  a straight line is what is wanted.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# A bound above the tolerance only counts where not most of it is noise: half, so that an estimate of
# the noise that is off by its usual third cannot turn a line through noisy data into a fault.
MOST_NOISE = 0.5


def check(evidence: Evidence) -> Finding | None:
    """Report the proof where the best line misses the tolerance, and not because of noise."""
    floor, data = evidence.floors.without_nonlinearity, evidence.data
    recipe = evidence.fit.recipe
    if recipe is None or floor <= evidence.tolerance or data.noise_floor > MOST_NOISE * floor:
        return None
    remedies = (Change("activation", "relu"), Change("activation", "tanh")) if recipe.hidden else ()
    count = len(recipe.layers)
    return Finding(
        "no-nonlinearity",
        f"{'the only layer is' if count == 1 else f'all {count} layers are'} linear, and no linear "
        f"function of the inputs leaves less than {floor:.3g} of the variance unexplained",
        (Measure("unexplained variance of the best line", floor, evidence.tolerance),),
        (),
        remedies,
        proof="confirmed" if data.noise_measured else None,
    )
