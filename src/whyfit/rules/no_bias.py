"""Layers without biases.

What we see:     the hidden layers have no biases.
Why it looks odd: without biases ReLU units all bend at x = 0, and the fit is two straight lines that
                 meet there; tanh and sigmoid networks are a constant plus an odd function, so that sin
                 can be learned and cos cannot.
How we know:     the layers; f(x) + f(-x) - 2 f(0), taken before the output's activation, which is zero
                 at all x for one such layer; and for ReLU the least error of any two such lines. If
                 that lies above the tolerance, it is a proof.
What to try:     biases in every layer, as is the default.
When to ignore:  the target has the symmetry too, and the fit meets its tolerance.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# In exact arithmetic the sum is zero; float64 leaves about 1e-15 of the range of f.
EQUAL = 1e-9


def check(evidence: Evidence) -> Finding | None:
    """Report the proof for ReLU; suspect wherever no hidden layer has biases."""
    recipe = evidence.fit.recipe
    if recipe is None or not recipe.hidden or any(layer.use_bias for layer in recipe.hidden):
        return None
    remedies = (Change("use_bias", "in every layer"),)
    floor = evidence.floors.without_bias
    if floor > evidence.tolerance:
        return Finding(
            "no-bias",
            "no hidden layer has biases, so that the curve is two straight lines that meet at "
            f"x = 0, and the best of these leaves {floor:.3g} of the variance unexplained",
            (Measure("unexplained variance of the best two lines", floor, evidence.tolerance),),
            (),
            remedies,
            proof="confirmed",
        )
    odd = evidence.identities.odd
    names = {layer.activation.name for layer in recipe.hidden}
    if odd < EQUAL:
        what = "f(x) + f(-x) is the same at all x"
        if recipe.layers[-1].activation.name != "linear":
            what = f"{what}, f being what enters the output's activation"
    elif names <= {"relu", "leaky_relu"}:
        what = "the network is a straight line along every ray from x = 0"
    else:
        what = "no unit can choose where along x it acts"
    return Finding(
        "no-bias",
        f"no hidden layer has biases, so that {what}",
        (Measure("greatest |f(x) + f(-x) - 2 f(0)| over the range of f", odd, EQUAL),),
        (),
        remedies,
    )
