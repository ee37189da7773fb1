"""Identities and floors: what proves a fault by arithmetic alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from whyfit.measure.activity import SATURATED_SHARE_OF_RANGE
from whyfit.measure.data import best_line, least_squares
from whyfit.records.evidence import Floors, Identities
from whyfit.records.fit import Fit
from whyfit.records.network import Activation, Array, Network
from whyfit.records.recipe import Recipe
from whyfit.records.variance import variance, weighted_mean

NAN = float("nan")


def identities(fit: Fit, few: Float[Array, "few inputs"]) -> Identities:
    """Measure the identities of one fit; shares are NaN where there are no finite predictions."""
    predictions, y, recipe = fit.predictions, fit.y, fit.recipe
    own = variance(y)
    if predictions is None or not np.all(np.isfinite(predictions)) or own == 0.0:
        return Identities(NAN, NAN, NAN, 0.0, NAN, NAN, _equal_units(fit.start))
    losses = fit.history.get("loss", ())
    plain = recipe is not None and recipe.loss == "mse" and fit.sample_weight is None
    spread = float(np.mean((predictions - predictions.mean(axis=0)) ** 2))
    apart = float(np.mean((predictions.mean(axis=0) - y.mean(axis=0)) ** 2))
    last = recipe.layers[-1].activation if recipe else Activation("linear")
    return Identities(
        constant=float(np.sqrt(spread / own)),
        linear=best_line(fit.x, predictions),
        odd=_odd(fit.end, few),
        at_bound=_at_bound(last, predictions, float(np.ptp(fit.y))),
        # The mean over all pairs of (f_i - y_j)^2 is Var f + Var y + (mean f - mean y)^2.
        broadcast=(spread + own + apart) / own,
        reported=losses[-1] / own if losses and plain else NAN,
        equal_units=_equal_units(fit.start),
    )


def _odd(network: Network | None, x: Array) -> float:
    """Greatest |f(x) + f(-x) - 2 f(0)| over the range of f: 0 for a constant plus an odd function.

    f is what enters the output's activation.
    """
    if network is None:
        return NAN
    with np.errstate(over="ignore", invalid="ignore"):
        right, left, middle = (
            network.traced(each)[-1][0] for each in (x, -x, np.zeros_like(x[:1]))
        )
        reach = float(np.ptp(np.concatenate([right, left])))
        return float(np.max(np.abs(right + left - 2.0 * middle))) / reach if reach > 0 else 0.0


def _at_bound(activation: Activation, predictions: Array, reach: float) -> float:
    """Share of predictions at the bound, as far as numbers beside targets that span `reach` can tell."""
    low, high = activation.range
    rounding = reach * float(np.finfo(np.float32).eps)
    margin = SATURATED_SHARE_OF_RANGE * (high - low) if activation.saturates else rounding
    return float(np.mean((predictions <= low + margin) | (predictions >= high - margin)))


def _equal_units(network: Network | None) -> int:
    """Hidden units whose incoming weights equal those of another of their layer."""
    if network is None:
        return 0
    equal = 0
    for layer in network.hidden:
        rows = layer.weight if layer.bias is None else np.vstack([layer.weight, layer.bias])
        _values, counts = np.unique(rows, axis=1, return_counts=True)
        equal += int(np.sum(counts[counts > 1]))
    return equal


def floors_of(
    recipe: Recipe | None,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    weight: Float[Array, samples] | None = None,
) -> Floors:
    """What no network weights whatever can undercut, by the kind of the layers alone.

    `weight` says how much each sample counts.
    """
    spread = variance(y, weight)
    if recipe is None or spread == 0.0:
        return Floors()
    low, high = recipe.layers[-1].range
    missed = weighted_mean((y - np.clip(y, low, high)) ** 2, weight)
    return Floors(
        without_bias=_without_bias(recipe, x, y, weight) / spread,
        without_nonlinearity=_linear_floor(recipe, x, y, weight),
        output_range=missed / spread,
        one_unit=_one_unit(recipe, x, y, weight) / spread,
    )


MONOTONE = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
)


def _one_unit(recipe: Recipe, x: Array, y: Array, weight: Array | None) -> float:
    """Least squared error of one unit in every hidden layer over one input.

    Each layer rises or falls all the way and so do all together; the best such curve is the isotonic
    regression (pool adjacent violators: Barlow et al. 1972), upwards or downwards.
    """
    narrow = bool(recipe.hidden) and all(layer.units == 1 for layer in recipe.hidden)
    rising = all(layer.activation.name in MONOTONE for layer in recipe.layers)
    if not narrow or not rising or x.shape[1] != 1 or y.shape[1] != 1:
        return 0.0
    counted = np.ones(len(x)) if weight is None else weight
    _places, where = np.unique(x[:, 0], return_inverse=True)
    counts = np.bincount(where.ravel(), counted)
    means = np.bincount(where.ravel(), counted * y[:, 0]) / counts
    scatter = np.sum(counted * (y[:, 0] - means[where.ravel()]) ** 2)
    errors = (
        counts * (isotonic_regression(means, weights=counts, increasing=up).x - means) ** 2
        for up in (True, False)
    )
    missed = min(float(np.sum(each)) for each in errors)
    return (missed + float(scatter)) / float(np.sum(counted))


def _linear_floor(recipe: Recipe, x: Array, y: Array, weight: Array | None) -> float:
    if any(layer.activation.name != "linear" for layer in recipe.layers):
        return 0.0
    if not recipe.layers[-1].use_bias:
        return 0.0  # without a bias a line does worse still; the bound would be another
    return best_line(x, y, weight)


def _without_bias(recipe: Recipe, x: Array, y: Array, weight: Array | None) -> float:
    """Least squared error of ReLU layers without biases over one input.

    Such layers are positively homogeneous, h(c x) = c h(x) for c > 0, each by itself and so all
    together: to the right of zero the network is one straight line, to the left another, and they
    meet at x = 0.
    """
    homogeneous = all(
        layer.activation.name in ("relu", "leaky_relu", "linear") and not layer.use_bias
        for layer in recipe.hidden
    )
    if (
        x.shape[1] != 1
        or not recipe.hidden
        or not homogeneous
        or recipe.layers[-1].activation.name != "linear"
    ):
        return 0.0
    columns = [np.maximum(x, 0.0), np.minimum(x, 0.0)]
    if recipe.layers[-1].use_bias:
        columns.append(np.ones_like(x))
    design = np.concatenate(columns, axis=1)
    design = design / np.maximum(np.max(np.abs(design), axis=0), 1e-300)
    return least_squares(design, y, weight)
