"""Depth: how many straight pieces a deep ReLU network can make, and a shallow one inside a deep one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from whyfit.records.network import Activation, Array, Layer, Network
from whyfit.records.recipe import Recipe


def most_pieces(widths: Sequence[int]) -> int:
    """Most straight pieces over one input of a ReLU network with these hidden widths.

    The bound of Serra, Tjandraatmadja & Ramalingam (2018, "Bounding and counting linear regions of
    deep neural networks", theorem 1) for one input: a layer cuts each piece into at most width + 1;
    on a piece where so many units are off that nothing passes, later layers cut no more. For one
    hidden layer it is width + 1 (Montufar et al. 2014).

    >>> most_pieces([4]), most_pieces([3, 3]), most_pieces([1, 100])
    (5, 16, 102)
    """
    passing, stopped = 1, 0
    for at, width in enumerate(widths):
        passing_now = passing * (width + 1)
        if width == 1 and at < len(widths) - 1:
            # Its only unit is off on one of the two pieces, and then the rest is constant.
            stopped += passing
            passing_now = passing
        passing = passing_now
    return passing + stopped


def deepened(
    shallow: Network, recipe: Recipe, at: int, x: Float[Array, "samples inputs"]
) -> Network:
    """The function of a one-hidden-layer network, made by a deeper one.

    The layer `at` of the recipe does the work; the layers before and after it have one unit each that
    passes its input on, kept positive by its bias. If the layers after it are too narrow for all
    outputs, they pass on as many as they can.
    """
    if len(recipe.hidden) == 1:
        return shallow
    outputs = shallow.outputs
    layers: list[Layer] = []
    value, scale, shift = np.asarray(x, dtype=np.float64), np.ones((1, 1)), np.zeros(1)
    for layer in recipe.hidden[:at]:
        # Carries x + lift in its first unit.
        lift = 1.0 + float(np.max(np.abs(value)))
        layers.append(_padded(scale, shift + lift, layer.units, layer.activation))
        scale = np.concatenate([np.ones((1, 1)), np.zeros((layer.units - 1, 1))])
        shift = np.array([-lift])
    work, last = shallow.layers
    assert work.bias is not None  # built with biases
    assert last.bias is not None
    layers.append(Layer(scale @ work.weight, shift @ work.weight + work.bias, work.activation))
    weight, bias = last.weight, last.bias
    value = shallow(np.asarray(x, dtype=np.float64))
    for layer in recipe.hidden[at + 1 :]:
        carried = min(layer.units, outputs)
        lift = 1.0 + float(np.max(np.abs(value)))
        layers.append(
            _padded(weight[:, :carried], bias[:carried] + lift, layer.units, layer.activation)
        )
        weight = np.zeros((layer.units, outputs))
        weight[:carried, :carried] = np.eye(carried)
        bias = np.where(np.arange(outputs) < carried, -lift, 0.0)
    layers.append(Layer(weight, bias, Activation("linear")))
    return Network(tuple(layers))


def _padded(weight: Array, bias: Array, units: int, activation: Activation) -> Layer:
    """A layer of `units` units of which the first do the work and the others nothing."""
    idle = units - weight.shape[1]
    return Layer(
        np.concatenate([weight, np.zeros((len(weight), idle))], axis=1),
        np.concatenate([bias, np.zeros(idle)]),
        activation,
    )
