"""Predictions made with dropout still on.

What we see:     after the training the script asks the network, and each answer leaves out other units.
Why it looks odd: the curve is a scribble around the fit, and another one each time it is drawn.
How we know:     what the network gave the script is compared with what its weights give with every
                 unit, at the same inputs.
What to try:     model.eval() after the training and before the predictions (model.train() turns dropout
                 on again); F.dropout(x, training=self.training) in place of F.dropout(x), which no
                 eval() turns off.
When to ignore:  the scatter is wanted, as an estimate of how sure the network is (Gal and Ghahramani
                 2016).
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding, Measure

ON_GOOD_FITS = True

# A hundredth of the variance is a band of a tenth of a deviation, which is seen in a plot.
SEEN = 0.01

# Beside a fit that is worse than that nobody looks at the scatter first.
BESIDE = 0.5


def check(evidence: Evidence) -> Finding | None:
    """Report answers that lie off the network's own by what can be seen."""
    scatter, left = evidence.regularisation.scatter, evidence.fit.unexplained_variance
    if scatter is None or not scatter.share >= max(SEEN, BESIDE * left):  # NaN says nothing
        return None
    return Finding(
        "dropout-left-on",
        f"the {scatter.points} answers of line {scatter.line} were given with dropout on and lie off "
        f"the network's own by {scatter.share:.1%} of the variance: call eval() on it first",
        (Measure("scatter of the answers over the variance", scatter.share, SEEN, "share"),),
    )
