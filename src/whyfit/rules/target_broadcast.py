"""Targets of another shape than the outputs, silently broadcast by the loss.

What we see:     the outputs have shape (N, 1) and the targets (N,), so that the loss compares every
                 output with every target.
Why it looks odd: the best answer to all targets at once is their mean: the fit shrinks towards one
                 constant, and the loss stops at about the variance of the targets.
How we know:     the mean of (f_i - y_j)^2 over all pairs is computed and compared with the loss
                 that was reported, beside the mean over matching pairs; and the framework's own
                 warning.
What to try:     give the targets the shape of the outputs: y.unsqueeze(1), or y.reshape(-1, 1).
When to ignore:  never.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

# Torch's words (torch/nn/functional.py, mse_loss) where shapes differ.
WARNING = "Using a target size"

# The reported loss is a mean over batches while weights move: 2 percent.
EQUAL = 0.02


def check(evidence: Evidence) -> Finding | None:
    """Report where shapes differ or the framework warned; proven where the loss is that of all pairs.

    The loss alone proves nothing: over a last epoch of fast progress it may lie anywhere.
    """
    fit, identities = evidence.fit, evidence.identities
    ordinary, pairs, reported = fit.unexplained_variance, identities.broadcast, identities.reported
    differ = bool(fit.output_shape and fit.y_shape) and fit.output_shape != fit.y_shape
    outputs = fit.output_shape or fit.y.shape
    warned = any(WARNING in each for each in fit.warnings)
    if not (warned or differ):
        return None
    proven = abs(reported - pairs) <= EQUAL * pairs
    shapes = f"targets of shape {fit.y_shape} against outputs of shape {outputs}"
    wider = outputs[1:] not in ((), (1,)) and fit.y_shape[:1] == outputs[:1]
    compared = (
        "the same target with each of the outputs" if wider else "every output with every target"
    )
    said = f"{shapes}: the loss compares {compared}"
    if proven:
        said += (
            f"; it was {reported:.3g} of the variance, all pairs give {pairs:.3g}, matching pairs "
            f"{ordinary:.3g}"
        )
    return Finding(
        "target-broadcast",
        said,
        (Measure("reported loss over that of all pairs", reported / pairs, 1.0, "ratio"),),
        proof="confirmed" if proven else None,
    )
