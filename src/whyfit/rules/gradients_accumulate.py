"""Gradients that are added up because the loop does not clear them.

What we see:     the training loop calls backward and step, and never zero_grad.
Why it looks odd: each step follows the sum of all gradients so far, as with a momentum that never
                 fades: the curve swings past the targets and back, and ends wherever it is when the
                 loop stops.
How we know:     the loop is watched: each step began with the gradients that the last one had left.
                 Then it is trained again with and without clearing them.
What to try:     optimizer.zero_grad() before each backward().
When to ignore:  gradients are accumulated on purpose over a few batches, and then cleared.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure


def check(evidence: Evidence) -> Finding | None:
    """Report a loop that was seen not to clear its gradients."""
    if evidence.fit.gradients_cleared is not False:
        return None
    return Finding(
        "gradients-accumulate",
        "the loop never clears the gradients: each step follows the sum of all before it",
        (Measure("steps with old gradients left in", evidence.training.steps, 0, "steps"),),
        remedies=(Change("gradients", "cleared"),),
    )
