"""What training costs: a model of the engine's time, so that a plan can be made before any run.

The model counts nanoseconds of one core for a group of 16 replicates, as measured on a 3.7 GHz core with
AVX-512 and fitted by least squares (`benchmarks/engine_cost.py` shows how far it is off). It depends on
the recipe alone, never on a clock, so that the same budget gives the same plan; `forecast` puts this
machine's own speed in.
"""

from __future__ import annotations

import os

from whyfit.records.recipe import Recipe

GROUP = 16

SHALLOW_SAMPLE = 7.0  # one hidden layer and one linear output: order, loss
SHALLOW_UNIT, SHALLOW_WEIGHT = 1.0, 0.45  # of the hidden layer, and between it and the inputs
SHALLOW_STEP = 16.0
SAMPLE = 0.5  # all other networks
WEIGHT = 0.74  # forward, its own gradient, and the gradient of the layer's input
FIRST_WEIGHT = 0.49  # the first layer's input needs none
UNIT = 2.9  # stores and loads of outputs and their slopes
DROPOUT = 5.7  # for each unit of a layer with dropout
STEP = 105.0
HELD_OUT = 1.1  # a forward pass, a third of both, over a third of the samples
TILE = 4  # samples or units that pass together; those left over cost twice as much

# Of one unit and sample, beside what ReLU costs.
ACTIVATION = {
    "linear": 0.0,
    "relu": 0.0,
    "leaky_relu": 0.4,
    "elu": 3.9,
    "tanh": 3.8,
    "sigmoid": 4.0,
    "bounded_relu": 3.0,
    "relu6": 3.0,
    "prelu": 4.0,
    "selu": 6.0,
    "gelu": 21.5,
    "gelu_tanh": 9.2,
    "silu": 7.4,
    "mish": 15.5,
    "softplus": 28.5,
    "softsign": 5.0,
    "hard_sigmoid": 4.0,
    "hard_tanh": 3.1,
    "exponential": 6.5,
    "sine": 12.1,
    "softmax": 6.5,
}
# Of one output and sample, beside what the squared error costs.
LOSS = {
    "log_cosh": 31.0,
    "msle": 13.5,
    "binary_crossentropy": 22.0,
    "categorical_crossentropy": 21.0,
}
# Of one parameter and step.
OPTIMIZER = {
    "sgd": 2.9,
    "rmsprop": 7.1,
    "adam": 6.2,
    "adamw": 6.2,
    "adamax": 5.2,
    "nadam": 8.0,
    "adagrad": 5.8,
    "adadelta": 10.3,
}
UNKNOWN_ACTIVATION, UNKNOWN_OPTIMIZER = 10.0, 6.0

# Activations that the one-pass kernel of shallow networks has (kernels/shallow.hpp).
IN_ONE_PASS = {"linear", "relu", "leaky_relu", "elu", "tanh", "sigmoid"}


def seconds(recipe: Recipe, samples: int, replicates: int, cores: int | None = None) -> float:
    """Modelled time of training so many replicates on all cores, in seconds."""
    step = SHALLOW_STEP if _is_shallow(recipe) else STEP
    step += recipe.parameters * OPTIMIZER.get(recipe.optimizer.name, UNKNOWN_OPTIMIZER)
    # The end error is measured by one more pass forward, a third of a pass both ways.
    work = (recipe.epochs + 1 / 3) * _of_epoch(recipe, samples) + recipe.steps(samples) * step
    if recipe.watches_held_out:
        work *= HELD_OUT
    groups = -(-replicates // GROUP)
    return work * groups * 1e-9 / (cores or os.cpu_count() or 1)


def _of_epoch(recipe: Recipe, samples: int) -> float:
    layers = recipe.layers
    special = layers[-1].units * LOSS.get(recipe.loss, 0.0)
    for layer in layers:
        special += layer.units * ACTIVATION.get(layer.activation.name, UNKNOWN_ACTIVATION)
        special += layer.units * DROPOUT * (layer.dropout > 0)
    if _is_shallow(recipe):
        unit = SHALLOW_UNIT + SHALLOW_WEIGHT * recipe.inputs
        return samples * (SHALLOW_SAMPLE + unit * _tiled(layers[0].units) + special)
    weights = sum(
        (WEIGHT if at else FIRST_WEIGHT) * inputs * units
        for at, (inputs, units, _biased) in enumerate(recipe.shapes)
    )
    batches, rest = divmod(samples, recipe.batch_size)
    rows = batches * _tiled(recipe.batch_size) + _tiled(rest)
    units = sum(layer.units for layer in layers)
    return rows * weights + samples * (SAMPLE + UNIT * units + special)


def _tiled(count: int) -> int:
    """So many samples or units, as many as they cost."""
    tiles, rest = divmod(count, TILE)
    return TILE * tiles + 2 * rest


def _is_shallow(recipe: Recipe) -> bool:
    """Whether the kernel of one hidden layer and one output trains it, as `is_shallow` there."""
    layers = recipe.layers
    return (
        len(layers) == 2
        and recipe.inputs <= 2
        and layers[1].units == 1
        and layers[1].activation.name == "linear"
        and layers[0].activation.name in IN_ONE_PASS
        and all(layer.use_bias and not layer.dropout for layer in layers)
    )
