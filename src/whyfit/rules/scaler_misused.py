"""One scaler used for both inputs and targets.

What we see:     the same scaler object transformed x and y.
Why it looks odd: a scaler remembers one set of constants. Used on y without a new fit it scales y
                 by the range of x; fitted again it forgets x, and new inputs are scaled by the
                 range of y. Either way some number comes back in the wrong units: predictions of
                 0.08 instead of 81.
How we know:     the arrays that scalers return are recognised when they are passed to `fit`;
                 whether y was only transformed shows in its range.
What to try:     two scalers, one for x and one for y; inverse_transform with that of y.
When to ignore:  x and y are the same quantity.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

ON_GOOD_FITS = True

# Scaled data fill their range, or have mean 0 and deviation 1, to rounding.
NEAR = 0.01


def check(evidence: Evidence) -> Finding | None:
    """Report one scaler object behind both arrays, and what that did to y."""
    fit = evidence.fit
    if not fit.scaler_shared:
        return None
    scaler, y = fit.target_scaler or fit.input_scaler, evidence.data.y[0]
    if scaler is None:
        return None
    if scaler.feature_range is not None:
        low, high = scaler.feature_range
        fitted = abs(y.low - low) < NEAR and abs(y.high - high) < NEAR
    else:
        fitted = abs(y.mean) < NEAR and abs(y.deviation - 1.0) < NEAR
    if fitted:
        said = "was fitted to x and again to y, and now scales new inputs by the range of y"
    else:
        said = f"was fitted to x alone, and leaves y in [{y.low:.3g}, {y.high:.3g}]"
    return Finding(
        "scaler-misused",
        f"one {scaler.kind} scaled both x and y: it {said}",
        (Measure("arrays of one scaler", 2, 1, "arrays"),),
        (),
        () if fitted else (Change("target_range", "scaled"),),
    )
