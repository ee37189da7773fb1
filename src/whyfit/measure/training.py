"""Training: the loss curve in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whyfit.records.evidence import TrainingMeasures

RISE = 0.1
"""Relative rise of the loss from one epoch to the next that counts as a rise: below that, the noise of
mini-batches makes any healthy curve go up and down."""


def training_measures(losses: Sequence[float], samples: int, batch_size: int) -> TrainingMeasures:
    """Measure a loss curve, one value an epoch."""
    curve = np.asarray(losses, dtype=np.float64)
    if len(curve) == 0:
        nan = float("nan")
        return TrainingMeasures(0, 0, nan, nan, nan, 0.0, 0.0, None, 0.5)
    bad = np.flatnonzero(~np.isfinite(curve))
    good = curve[: bad[0]] if len(bad) else curve
    late = good[len(good) // 2 :]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = late[1:] / late[:-1]
    return TrainingMeasures(
        epochs=len(curve),
        steps=len(curve) * -(-samples // batch_size),
        first_loss=float(curve[0]),
        last_loss=float(curve[-1]),
        least_loss=float(good.min()) if len(good) else float("nan"),
        last_fall=_last_fall(good),
        rises=float(np.mean(ratios > 1.0 + RISE)) if len(ratios) else 0.0,
        first_nonfinite=int(bad[0]) + 1 if len(bad) else None,
        falls=float(np.mean(ratios < 1.0)) if len(ratios) else 0.5,
    )


def _last_fall(curve: np.ndarray) -> float:
    """Relative fall between the means of the last two tenths (at least one epoch each)."""
    if len(curve) < 2:
        return 0.0
    tenth = max(1, len(curve) // 10)
    before = float(np.mean(curve[-2 * tenth : -tenth]))
    after = float(np.mean(curve[-tenth:]))
    return (before - after) / before if before > 0.0 else 0.0
