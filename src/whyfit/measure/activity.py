"""Activity: what each hidden unit does over all the data, and when it fell silent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from whyfit.records.evidence import StartMeasures, UnitActivity
from whyfit.records.fit import WeightHistory
from whyfit.records.network import Array, Network
from whyfit.records.recipe import DenseLayer, Recipe

SATURATED_SHARE_OF_RANGE = 0.005
"""Nearness to a bound that counts as saturated, as a share of the distance between the bounds: for
tanh an output beyond +-0.99, where its slope is below 0.02."""


def unit_activity(
    network: Network,
    x: Float[Array, "samples inputs"],
    no_gradient: Sequence[bool] = (),
) -> tuple[UnitActivity, ...]:
    """Activity of every hidden unit over all samples, layer by layer.

    `no_gradient` says of each unit, in the same order, that no gradient reaches its weights.
    """
    units: list[UnitActivity] = []
    for index, (z, output) in enumerate(network.traced(x)[:-1]):
        activation = network.layers[index].activation
        on = np.mean(z > 0.0, axis=0)
        saturated = np.zeros(z.shape[1])
        if activation.saturates:
            low, high = activation.range
            margin = SATURATED_SHARE_OF_RANGE * (high - low)
            saturated = np.mean((output < low + margin) | (output > high - margin), axis=0)
        units += [
            UnitActivity(
                index + 1,
                unit + 1,
                float(on[unit]),
                float(saturated[unit]),
                activation.dies,
                bool(no_gradient[len(units) + unit]) if no_gradient else False,
            )
            for unit in range(z.shape[1])
        ]
    return tuple(units)


def deaths(
    recipe: Recipe, history: WeightHistory, x: Float[Array, "samples inputs"]
) -> tuple[tuple[int, int, int], ...]:
    """Units that were on for some sample at the start and off for all at the end.

    Each is (layer, unit, epoch): the first recorded epoch from which on it stayed off. `x` may be a
    selection of the samples that keeps the extremes.
    """
    silent = np.array(
        [_silent(recipe.network(weights), x) for weights in history.weights], dtype=bool
    )
    died = ~silent[0] & silent[-1]
    names = [
        (layer + 1, unit + 1)
        for layer, dense in enumerate(recipe.hidden)
        for unit in range(dense.units)
    ]
    found = []
    for at in np.flatnonzero(died):
        last_on = int(np.flatnonzero(~silent[:, at])[-1])
        found.append((*names[at], int(history.epochs[last_on + 1])))
    return tuple(found)


def start_measures(recipe: Recipe) -> StartMeasures:
    """Size of each layer's start weights beside that of the customary initializer.

    He et al. 2015 (sqrt(2 / fan_in)) keeps the size of signals through ReLU layers, Glorot & Bengio
    2010 (sqrt(2 / (fan_in + fan_out))) through tanh-like ones. Frameworks default to Glorot for
    both, so that before ReLU the smaller of the two counts as customary.
    """
    drawn, customary, largest = [], [], []
    for (inputs, units, _biased), layer in zip(recipe.shapes, recipe.layers, strict=True):
        drawn.append(layer.kernel_initializer.root_mean_square(inputs, units))
        customary.append(customary_initializer_scale(layer, inputs, units))
        largest.append(float(max(np.sqrt(2.0 / (inputs + units)), np.sqrt(2.0 / inputs))))
    return StartMeasures(tuple(drawn), tuple(customary), tuple(largest))


def customary_initializer_scale(layer: DenseLayer, inputs: int, units: int) -> float:
    """Root mean square of the customary initializer for one layer; the smaller where two are."""
    glorot = float(np.sqrt(2.0 / (inputs + units)))
    if layer.activation.name in ("relu", "leaky_relu", "elu"):
        return min(glorot, float(np.sqrt(2.0 / inputs)))
    return glorot


def live_units(
    networks: Float[Array, "replicates parameters"],
    recipe: Recipe,
    x: Float[Array, "samples inputs"],
) -> Float[Array, replicates]:
    """Hidden units of each network that are on for at least one sample; all networks pass at once."""
    live = np.zeros(len(networks))
    outputs = x
    for (inputs, units, biased), layer, places in zip(
        recipe.shapes[:-1], recipe.hidden, recipe.places[:-1], strict=True
    ):
        kernel, bias, slopes = (networks[:, place] for place in places)
        with np.errstate(over="ignore", invalid="ignore"):
            z = outputs @ kernel.reshape(-1, inputs, units)
            z = z + bias[:, None, :] if biased else z
        live += np.sum(~np.all(z <= 0.0, axis=1), axis=1) if layer.activation.dies else units
        outputs = (
            np.where(z < 0, slopes[:, None, :] * z, z) if layer.slopes else layer.activation(z)
        )
    return live


def _silent(network: Network, x: Array) -> Array:
    silent = [
        np.all(z <= 0.0, axis=0) if layer.activation.dies else np.zeros(z.shape[1], dtype=bool)
        for layer, (z, _output) in zip(network.hidden, network.traced(x)[:-1], strict=True)
    ]
    return np.concatenate(silent) if silent else np.zeros(0, dtype=bool)


def few_samples(x: Float[Array, "samples inputs"], most: int = 512) -> Float[Array, "few inputs"]:
    """At most about `most` rows spread evenly through the data, with each column's extremes.

    With one input a unit's pre-activation is monotone in x for the first layer, so that the extremes
    alone decide whether it is silent.
    """
    if len(x) <= most:
        return x
    return x[few_rows(x, most)]


def few_rows(x: Float[Array, "samples inputs"], most: int = 512) -> Int[Array, few]:
    """Which rows `few_samples` takes: the same samples in whatever order they lie."""
    if len(x) <= most:
        return np.arange(len(x))
    order = np.lexsort(x.T[::-1])
    rows = order[np.linspace(0, len(x) - 1, most).astype(int)]
    ends = np.concatenate([np.argmin(x, axis=0), np.argmax(x, axis=0)])
    return np.unique(np.concatenate([rows, ends]))


def distinct_patterns(network: Network, x: Float[Array, "samples inputs"]) -> int | None:
    """How many patterns of hidden units on or off the samples meet; None unless all are ReLU-like.

    Each pattern is a region in which the network is linear (Montufar et al. 2014, section 2).
    """
    if not network.hidden or not all(
        layer.activation.name in ("relu", "leaky_relu") for layer in network.hidden
    ):
        return None
    on = np.concatenate([z > 0.0 for z, _output in network.traced(x)[:-1]], axis=1)
    return len(np.unique(np.packbits(on, axis=1), axis=0))
