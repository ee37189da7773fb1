"""Gradients: how the loss pulls at each weight, and how strongly it curves.

Written out for dense chains in numpy, so that measuring needs neither a framework nor the engine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from whyfit.records.evidence import StepMeasures
from whyfit.records.fit import Fit
from whyfit.records.network import Activation, Array, Network
from whyfit.records.recipe import Recipe, flatten

MOST_PARAMETERS = 20_000
"""Networks up to this size have their curvature measured; beyond, it would cost seconds."""

POWER_ITERATIONS = 12
NORMALISED = ("adam", "adamw", "adamax", "nadam", "rmsprop")
"""Optimizers whose steps are about as long as the learning rate, whatever the gradient's size (Kingma &
Ba 2015, section 2.1)."""


def slope(activation: Activation, z: Array) -> Array:
    """f'(z): exact for the piecewise-linear functions, by central difference for the others."""
    match activation.name:
        case "linear":
            return np.ones_like(z)
        case "relu" if not activation.constants:
            return (z > 0.0).astype(z.dtype)
        case _:
            step = 1e-6
            return (activation(z + step) - activation(z - step)) / (2.0 * step)


def gradients(
    network: Network,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    pull: Float[Array, samples] | None = None,
) -> list[tuple[Array, Array]]:
    """Gradient of the mean squared error in each layer's weights and biases, first to last.

    Biases are given whether or not the layer has them. `pull` multiplies the error of each sample.
    """
    trace = network.traced(x)
    upstream = 2.0 * (trace[-1][1] - y) / y.size
    if pull is not None:
        upstream = upstream * pull[:, None]
    found: list[tuple[Array, Array]] = []
    for index in range(len(network.layers) - 1, -1, -1):
        layer = network.layers[index]
        pulled = upstream * slope(layer.activation, trace[index][0])
        below = trace[index - 1][1] if index else x
        found.append((below.T @ pulled, pulled.sum(axis=0)))
        upstream = pulled @ layer.weight.T
    return found[::-1]


def no_gradient(
    network: Network, x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"]
) -> list[bool]:
    """For each hidden unit whether the gradient in all of its own weights is exactly zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = gradients(network, x, y)[:-1]
    return [
        bool(np.all(weight[:, unit] == 0.0) and bias[unit] == 0.0)
        for weight, bias in found
        for unit in range(weight.shape[1])
    ]


def curvature(
    recipe: Recipe,
    network: Network,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    pull: Float[Array, samples] | None = None,
) -> float:
    """Largest curvature of the mean squared error: the largest eigenvalue of its Hessian in size.

    By power iteration on differences of gradients (Pearlmutter 1994 gives the exact product; the
    difference is as good here). NaN for networks of more than MOST_PARAMETERS weights, or where the
    weights are not finite.
    """
    at = flatten(network).astype(np.float64)
    if len(at) > MOST_PARAMETERS or not np.all(np.isfinite(at)):
        return float("nan")
    gradient = _gradient_of(recipe, x, y, pull)
    step = 1e-4 * max(1.0, float(np.linalg.norm(at)))
    direction = np.random.default_rng(0).standard_normal(len(at))
    largest = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for _iteration in range(POWER_ITERATIONS):
            direction /= np.linalg.norm(direction)
            ahead, behind = (gradient(at + side * step * direction) for side in (1.0, -1.0))
            product = (ahead - behind) / (2.0 * step)
            largest = float(np.linalg.norm(product))
            if largest == 0.0 or not np.isfinite(largest):
                break
            direction = product
    return largest


def _gradient_of(
    recipe: Recipe, x: Array, y: Array, pull: Array | None
) -> Callable[[Array], Array]:
    def gradient(weights: Array) -> Array:
        network = recipe.network(weights)
        found = gradients(network, x, y, pull)
        parts = []
        for layer, (weight, bias) in zip(network.layers, found, strict=True):
            parts.append(weight.ravel())
            if layer.bias is not None:
                parts.append(bias)
        return np.concatenate(parts)

    return gradient


def step_measures(
    fit: Fit,
    recipe: Recipe,
    few: Float[Array, "few inputs"],
    few_y: Float[Array, "few outputs"],
    pull: Float[Array, few] | None = None,
) -> StepMeasures | None:
    """Gradients and steps of one fit, on a selection of its samples; None without weights.

    `pull` is how much each of the selection counts in the loss, 1 where samples are not weighted.
    """
    start, end = fit.start, fit.end
    if start is None or end is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = [_size(weight) for weight, _bias in gradients(start, few, few_y, pull)]
    epochs = fit.epochs_done or recipe.epochs
    rates = recipe.learning_rates(len(fit.x), epochs)
    rate = recipe.optimizer.learning_rate if rates is None else float(np.mean(rates))
    steps = epochs * recipe.steps_per_epoch(len(fit.x))
    return StepMeasures(
        gradients=tuple(sizes),
        curvature=curvature(recipe, start, few, few_y, pull),
        end_curvature=curvature(recipe, end, few, few_y, pull),
        moved=_moved(start, end),
        update=_update(fit, recipe),
        reach=steps * rate if recipe.optimizer.name in NORMALISED else None,
        distance=_distance(start, few, few_y),
        smallest=min(_size(layer.weight) for layer in start.layers),
    )


def _size(values: Array) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


def _moved(start: Network, end: Network) -> tuple[float, ...]:
    shares = []
    for before, after in zip(start.layers, end.layers, strict=True):
        size = _size(before.weight)
        shares.append(_size(after.weight - before.weight) / size if size > 0.0 else float("inf"))
    return tuple(shares)


def _update(fit: Fit, recipe: Recipe) -> float:
    """Mean step over the size of the weights in the last recorded stretch of epochs."""
    history = fit.weight_history
    if history is None or len(history.weights) < 2:
        return float("nan")
    epochs = int(history.epochs[-1] - history.epochs[-2])
    steps = max(1, epochs * -(-len(fit.x) // recipe.batch_size))
    with np.errstate(over="ignore", invalid="ignore"):
        went = _size(history.weights[-1] - history.weights[-2])
        size = _size(history.weights[-2])
    return went / steps / size if size > 0.0 else float("nan")


def _distance(start: Network, x: Array, y: Array) -> float:
    """How far each output weight must go, if all go together, for an output as large as y.

    An output is the sum over the last hidden layer of weight x output, plus a bias.
    """
    trace = start.traced(x)
    below = trace[-2][1] if len(trace) > 1 else x
    lever = float(np.mean(np.sum(np.abs(below), axis=1))) + 1.0
    return float(np.sqrt(np.mean(y.astype(np.float64) ** 2))) / lever
