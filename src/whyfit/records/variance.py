"""Unexplained variance, the measure by which every fit and every retrained twin is judged."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.records.network import Array


def unexplained_variance(
    predictions: Float[Array, "samples outputs"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> float:
    """Mean squared error over the variance of y, all outputs together (1 - R^2).

    With weights both means are weighted, as scikit-learn's `r2_score(sample_weight=...)` has it
    (sklearn/metrics/_regression.py): a weighted fit is judged by what its loss asked of it. NaN where y
    is constant, since then there is no variance to explain; infinite where a prediction is not finite.

    >>> unexplained_variance(np.zeros((3, 1)), np.array([[-1.0], [1.0], [9.0]]), np.array([1, 1, 0]))
    1.0
    """
    spread = variance(y, weight)
    if spread == 0.0:
        return float("nan")
    if not np.all(np.isfinite(predictions)):
        return float("inf")
    return weighted_mean((predictions - y) ** 2, weight) / spread


def variance(
    y: Float[Array, "samples outputs"], weight: Float[Array, samples] | None = None
) -> float:
    """Mean squared distance of y from its mean, all outputs together; both means weighted, if so.

    >>> variance(np.array([[0.0], [2.0], [9.0]]), np.array([1.0, 1.0, 0.0]))
    1.0
    """
    if weight is None:
        return float(np.mean((y - y.mean(axis=0)) ** 2))
    return weighted_mean((y - np.average(y, axis=0, weights=weight)) ** 2, weight)


def weighted_mean(
    values: Float[Array, "samples outputs"], weight: Float[Array, samples] | None
) -> float:
    """Mean over outputs and samples, these weighted if there are weights."""
    return float(np.mean(values if weight is None else np.average(values, axis=0, weights=weight)))
