"""Sample weights: whether a fit can be judged by them, and how they travel with the targets."""

from __future__ import annotations

import numpy as np

from whyfit.records.network import Array


def why_not_weighted(weight: Array | None) -> str | None:
    """The reason why nothing can be judged by such weights, or None."""
    if weight is None:
        return None
    if not np.all(np.isfinite(weight)):
        return "sample weights that are not finite numbers are not supported"
    if np.any(weight < 0.0):
        return "negative sample weights are not supported"
    return None if np.any(weight > 0.0) else "sample weights that are all 0 teach nothing"


def same_weights(one: Array | None, two: Array | None) -> bool:
    """Whether two fits weigh their samples alike."""
    return one is two or (one is not None and two is not None and np.array_equal(one, two))


def with_weights(y: Array, weight: Array | None) -> Array:
    """Targets with the weights as a last column, so that rows of batches are told apart by both."""
    return y if weight is None else np.column_stack([y, weight])


def without_weights(columns: Array, *, weighted: bool) -> tuple[Array, Array | None]:
    """Targets and weights, the inverse of `with_weights`."""
    return (columns[:, :-1], columns[:, -1]) if weighted else (columns, None)
