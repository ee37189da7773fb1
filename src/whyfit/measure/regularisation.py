"""Regularisation: how large penalties and dropout are beside the error of the fit."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.records.evidence import Regularisation, Scatter
from whyfit.records.fit import Fit
from whyfit.records.network import Array, Network
from whyfit.records.recipe import Penalty, Recipe


def regularisation(
    fit: Fit,
    recipe: Recipe,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
    pull: Float[Array, samples] | None = None,
) -> Regularisation:
    """Measure penalties and dropout of one fit; `x` and `y` may be a selection of its samples.

    `pull` multiplies the error of each sample where they are weighted.
    """
    shares = [
        _penalty_share(each, recipe, x, y, pull)
        for each in (fit.start, fit.end)
        if each is not None
    ]
    return Regularisation(
        penalty=max(shares, default=0.0),
        decay=_decay(fit, recipe),
        dropout=_dropout(recipe),
        scatter=_scatter(fit, recipe),
    )


def _scatter(fit: Fit, recipe: Recipe) -> Scatter | None:
    """Of the call whose answers lie farthest off, where the network has dropout."""
    network, variance = fit.end, float(np.var(fit.y, axis=0).sum())
    if network is None or not _dropout(recipe) or not variance > 0.0:
        return None
    found = []
    for each in fit.answers:
        if (each.x.shape[1], each.outputs.shape[1]) != (fit.x.shape[1], fit.y.shape[1]):
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(np.sum((each.outputs - network(each.x)) ** 2))
        if np.isfinite(squares):  # a network that diverged has no answers of its own
            found.append(Scatter(squares / len(each.x) / variance, len(each.x), each.line))
    return max(found, key=lambda each: each.share, default=None)


def _penalty_share(
    network: Network, recipe: Recipe, x: Array, y: Array, pull: Array | None
) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        added = _penalties(network, recipe, x)
        squares = (network(x) - y) ** 2
        squares = squares if pull is None else squares * pull[:, None]
        error = float(np.mean(squares)) * recipe.loss_factor
    if recipe.loss == "half_mse":
        error /= 2.0
    elif recipe.loss == "rmse":
        error = recipe.loss_factor * float(np.sqrt(error / recipe.loss_factor))
    if not (np.isfinite(added) and np.isfinite(error)) or added == 0.0:
        return 0.0
    return added / (added + error)


def _penalties(network: Network, recipe: Recipe, x: Array) -> float:
    """What is added to the loss of one step.

    Decay as PyTorch's Adam and SGD have it (torch/optim/adam.py) adds weight_decay w to the gradient,
    which is that of weight_decay w^2 / 2 summed over all weights and biases.
    """
    optimizer = recipe.optimizer
    coupled = 0.0 if _decoupled(recipe) else optimizer.weight_decay / 2.0
    total = 0.0
    outputs = [output for _z, output in network.traced(x)]
    for layer, dense, output in zip(network.layers, recipe.layers, outputs, strict=True):
        bias = np.zeros(0) if layer.bias is None else layer.bias
        own = _size(dense.kernel_penalty, layer.weight) + _size(dense.bias_penalty, bias)
        own += _size(dense.activity_penalty, output) / len(x)
        total += own + coupled * float(np.sum(layer.weight**2) + np.sum(bias**2))
    return total / min(recipe.batch_size, len(x)) if recipe.penalty_per_sample else total


def _size(penalty: Penalty, values: Array) -> float:
    return penalty.l1 * float(np.sum(np.abs(values))) + penalty.l2 * float(np.sum(values**2))


def _decoupled(recipe: Recipe) -> bool:
    """Whether decay acts on the weights themselves: in Keras always, in PyTorch as in AdamW."""
    optimizer = recipe.optimizer
    return optimizer.framework == "keras" or optimizer.name == "adamw" or optimizer.decoupled_decay


def _decay(fit: Fit, recipe: Recipe) -> float:
    if not recipe.optimizer.weight_decay or not _decoupled(recipe):
        return 0.0
    sizes = [
        float(np.max(np.abs(layer.weight)))
        for network in (fit.start, fit.end)
        if network is not None
        for layer in network.layers
    ]
    largest = max(sizes, default=0.0)
    return recipe.optimizer.weight_decay * largest if np.isfinite(largest) else 0.0


def _dropout(recipe: Recipe) -> float:
    """Outputs kept with probability 1 - p and divided by it have variance p / (1 - p) over their
    square (Wager et al. 2013, arXiv 1307.1493); in a sum of n equal ones that is divided by n.
    """
    shares = [(recipe.input_dropout, recipe.inputs)]
    shares += [(layer.dropout, layer.units) for layer in recipe.layers]
    return max(share / (1.0 - share) / units for share, units in shares if share < 1.0)
