"""Residuals: where a fit misses, and at which samples a curve can be drawn without losing a bend."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from whyfit.records.evidence import Evidence
from whyfit.records.network import Array

MOST_POINTS = 600


def curve_rows(evidence: Evidence, most: int = MOST_POINTS) -> Int[Array, points]:
    """Indices of at most about `most` samples, in the order of the first input.

    Evenly spread in rank, with the extremes of target and residual in each stretch and the samples
    next to every hinge, so that no corner or spike is lost.
    """
    fit = evidence.fit
    x = fit.x[:, 0]
    order = np.argsort(x, kind="stable")
    if len(order) <= most:
        return order
    picked = [np.linspace(0, len(order) - 1, most // 2).astype(int)]
    stretches = np.array_split(np.arange(len(order)), most // 12)
    for values in (fit.y[order, 0], _residual(evidence)[order]):
        for stretch in stretches:
            picked.append(
                np.array([stretch[np.argmin(values[stretch])], stretch[np.argmax(values[stretch])]])
            )
    inside = [hinge.position for hinge in evidence.end_hinges if hinge.inside]
    for position in inside[:20]:
        at = int(np.searchsorted(x[order], position))
        picked.append(np.clip(np.array([at - 1, at]), 0, len(order) - 1))
    return order[np.unique(np.concatenate(picked))]


def _residual(evidence: Evidence) -> Array:
    fit = evidence.fit
    if fit.predictions is None:
        return np.zeros(len(fit.y))
    return np.nan_to_num(fit.predictions[:, 0] - fit.y[:, 0])
