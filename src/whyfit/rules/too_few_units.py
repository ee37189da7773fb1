"""A network that cannot make the curve, however it is trained.

What we see:     no network of this shape comes below the tolerance on these data.
Why it looks odd: the curve has a corner for each unit and no more; the fit is the best compromise.
How we know:     a ReLU network with one input and one hidden layer of n units has at most n + 1
                 straight pieces, a deeper one at most the product over its layers (Serra et al. 2018).
                 The least error of so many pieces, even unconnected ones, is found exactly by
                 dynamic programming; if it lies above the tolerance, that is a proof. With one unit of
                 any usual kind in each hidden layer a curve of one input only rises or only falls, and
                 isotonic regression gives the best that can.
What to try:     more units.
When to ignore:  never: training cannot help.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure


def check(evidence: Evidence) -> Finding | None:
    """Report the proof where the lower bound lies above the tolerance."""
    capacity = evidence.capacity
    limit = evidence.tolerance
    if capacity is None or capacity.lower_bound <= limit:
        return _one_unit(evidence)
    return Finding(
        "too-few-units",
        f"no network with {capacity.bends} hidden units can leave less than "
        f"{capacity.lower_bound:.3g} of the variance unexplained on these data: it makes at most "
        f"{capacity.pieces} straight pieces",
        (Measure("least unexplained variance possible", capacity.lower_bound, limit),),
        (),
        (Change("units", "x2"), Change("units", "x4")),
        proof="confirmed",
    )


def _one_unit(evidence: Evidence) -> Finding | None:
    """The proof for one unit in every hidden layer: the curve only rises or only falls."""
    floor, limit = evidence.floors.one_unit, evidence.tolerance
    if floor <= limit:
        return None
    return Finding(
        "too-few-units",
        "with one unit in each hidden layer the curve only rises or only falls, and the best such "
        f"curve leaves {floor:.3g} of the variance unexplained",
        (Measure("least unexplained variance possible", floor, limit),),
        (),
        (Change("units", "x2"), Change("units", "x4")),
        proof="confirmed",
    )
