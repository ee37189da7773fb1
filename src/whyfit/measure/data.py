"""Data: scale, offset and noise of what was passed to `fit`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.records.evidence import ColumnMeasures, DataMeasures
from whyfit.records.network import Array


def data_measures(
    x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]
) -> DataMeasures:
    """Measure the data of a fit."""
    return DataMeasures(
        samples=len(x),
        x=tuple(_column(column) for column in x.T),
        y=tuple(_column(column) for column in y.T),
        noise_floor=noise_floor(x, y),
        best_line=best_line(x, y),
    )


def _column(values: Array) -> ColumnMeasures:
    return ColumnMeasures(
        float(values.min()), float(values.max()), float(values.mean()), float(values.std())
    )


def best_line(x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]) -> float:
    """Unexplained variance of the best affine function of x; NaN where y is constant."""
    variance = float(np.mean((y - y.mean(axis=0)) ** 2))
    if variance == 0.0:
        return float("nan")
    design = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / _spread(x)])
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    return float(np.mean((design @ coefficients - y) ** 2)) / variance


def noise_floor(x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]) -> float:
    """Variance of the noise in y, as a share of the variance of y; 0 where it cannot be told.

    One input: the difference-based estimator of Gasser, Sroka & Jennen-Steinmetz (1986), which
    compares each y with the straight line through its neighbours in x. A curved function on a
    coarse grid looks like noise to it, but then the estimate grows about sixteenfold when every
    other sample is left out, while that of real noise stays; Richardson's extrapolation to
    spacing zero takes the curvature out. Several inputs: not measured, 0.
    """
    variance = float(np.mean((y - y.mean(axis=0)) ** 2))
    if x.shape[1] != 1 or len(x) < 12 or variance == 0.0:
        return 0.0
    order = np.argsort(x[:, 0], kind="stable")
    at, targets = x[order, 0], y[order]
    fine = _gasser(at, targets)
    coarse = 0.5 * (_gasser(at[::2], targets[::2]) + _gasser(at[1::2], targets[1::2]))
    if not np.isfinite(fine) or not np.isfinite(coarse):
        return 0.0
    return max(0.0, fine - max(0.0, coarse - fine) / 15.0) / variance


def _gasser(x: Array, y: Array) -> float:
    left, right = x[1:-1] - x[:-2], x[2:] - x[1:-1]
    width = left + right
    usable = width > 0.0
    if not np.any(usable):
        return float("nan")
    share = (right[usable] / width[usable])[:, None]
    residual = share * y[:-2][usable] + (1.0 - share) * y[2:][usable] - y[1:-1][usable]
    return float(np.mean(residual**2 / (share**2 + (1.0 - share) ** 2 + 1.0)))


def _spread(x: Array) -> Array:
    deviation = x.std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)
