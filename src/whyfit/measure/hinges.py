"""Hinges: where a piecewise-linear network with one input bends, and whose bend it is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.records.evidence import Hinge, HingeTracks
from whyfit.records.fit import WeightHistory
from whyfit.records.network import Array, Layer, Network
from whyfit.records.recipe import Recipe


def hinge_positions(layer: Layer) -> Float[Array, units]:
    """Where each unit of a first layer bends: the x at which its pre-activation is zero.

    One input only. A unit with zero weight never bends and gets NaN.

    >>> from whyfit.records.network import Activation
    >>> layer = Layer(np.array([[2.0, 0.0]]), np.array([-1.0, 3.0]), Activation("relu"))
    >>> hinge_positions(layer)
    array([0.5, nan])
    """
    weight = layer.weight[0].astype(np.float64)
    bias = np.zeros_like(weight) if layer.bias is None else layer.bias.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # + 0.0 turns the -0.0 of a zero bias into 0.0
        return np.where(weight == 0.0, np.nan, -bias / weight) + 0.0


def trace_hinges(network: Network, low: float, high: float) -> tuple[Hinge, ...]:
    """All bends of a network with one input, from left to right, with the slopes beside each.

    `low` and `high` are the ends of the data. First-layer hinges are found wherever they lie;
    those of deeper layers within one data range beyond either end. Exact for piecewise-linear
    activations that bend at zero: between the bends of the layers before, a pre-activation is a
    straight line, whose zero is found from its ends.
    """
    if network.inputs != 1:
        raise ValueError(f"hinges need one input: the network has {network.inputs}")
    margin = high - low or 1.0
    first = hinge_positions(network.layers[0])
    finite = first[np.isfinite(first)]
    left = min(low - margin, *finite, low) - 1.0 * margin
    right = max(high + margin, *finite, high) + 1.0 * margin

    knots = np.array([left, right])
    found: list[tuple[float, int, int]] = []
    for index, layer in enumerate(network.layers):
        if layer.activation.name == "linear":
            continue
        z = _pre_activations(network, index, knots)
        crossings = [
            (position, index + 1, unit + 1)
            for unit in range(z.shape[1])
            for position in _zeros(knots, z[:, unit])
        ]
        found += crossings
        knots = np.unique(np.concatenate([knots, [position for position, *_rest in crossings]]))
    return _with_slopes(network, knots, sorted(found), low, high)


MOST_TRACED = 40
"""Epochs at which a deep network is traced: enough for a picture, and a tenth of a second at most."""


def hinge_tracks(recipe: Recipe, history: WeightHistory, low: float, high: float) -> HingeTracks:
    """Positions of the first layer's hinges at every recorded epoch, and the bends of deeper layers
    between `low` and `high`, the ends of the data, at up to MOST_TRACED epochs; one input only.
    """
    positions = [hinge_positions(recipe.network(weights).layers[0]) for weights in history.weights]
    last = len(history.epochs) - 1
    traced = np.unique(np.linspace(0, last, MOST_TRACED).astype(int)) if last >= 0 else []
    deeper = [
        (history.epochs[at], hinge.layer, hinge.unit, hinge.position)
        for at in (traced if len(recipe.hidden) > 1 else [])
        if np.all(np.isfinite(history.weights[at]))
        for hinge in trace_hinges(recipe.network(history.weights[at]), low, high)
        if hinge.layer > 1 and hinge.inside
    ]
    rows = np.array(deeper, dtype=np.float64).reshape(-1, 4)
    return HingeTracks(history.epochs, np.array(positions), rows)


def _pre_activations(network: Network, index: int, x: Array) -> Array:
    values = x[:, None]
    for layer in network.layers[:index]:
        values = layer.activation(layer.pre_activation(values))
    return network.layers[index].pre_activation(values)


def _zeros(x: Array, z: Array) -> list[float]:
    """Zeros of the straight-line pieces through (x, z) at which the sign changes."""
    zeros = []
    for at in range(len(x) - 1):
        before, after = z[at], z[at + 1]
        if before == 0.0 and after == 0.0:
            continue
        if before * after < 0.0:
            zeros.append(float(x[at] - before * (x[at + 1] - x[at]) / (after - before)))
        elif before == 0.0 and at > 0 and z[at - 1] * after < 0.0:
            zeros.append(float(x[at]))
    return zeros


def _with_slopes(
    network: Network, knots: Array, found: list[tuple[float, int, int]], low: float, high: float
) -> tuple[Hinge, ...]:
    values = network(knots[:, None])[:, 0]
    slopes = np.diff(values) / np.diff(knots)
    hinges = []
    for position, layer, unit in found:
        at = int(np.searchsorted(knots, position))
        before = slopes[max(0, at - 1)]
        after = slopes[min(len(slopes) - 1, at)]
        inside = low < position < high
        hinges.append(Hinge(layer, unit, position, float(before), float(after), inside))
    return tuple(hinges)
