"""Where weights and biases start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.records.fit import Fit
from whyfit.records.recipe import (
    DenseLayer,
    Initializer,
    Recipe,
)
from whyfit.study.factors.factor import Factor


def customary(recipe: Recipe) -> str:
    """He before a ReLU-like activation, Glorot otherwise, in the family the script already uses."""
    family = (
        "normal" if "normal" in _hidden_or_output(recipe).kernel_initializer.name else "uniform"
    )
    relu_like = _hidden_or_output(recipe).activation.name in ("relu", "leaky_relu", "elu")
    return f"he_{family}" if relu_like else f"glorot_{family}"


def _hidden_or_output(recipe: Recipe) -> DenseLayer:
    return recipe.layers[0]


def _initializers(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    used = {layer.kernel_initializer.name for layer in recipe.layers}
    wanted = dict.fromkeys((customary(recipe), "glorot_uniform"))
    return tuple(name for name in wanted if used != {name})


def _current_initializer(_fit: Fit, recipe: Recipe) -> str:
    names = dict.fromkeys(str(layer.kernel_initializer) for layer in recipe.layers)
    return ", ".join(names)


def _with_initializer(_fit: Fit, recipe: Recipe, level: str) -> Recipe:
    initializer = Initializer(level)
    layers = (replace(layer, kernel_initializer=initializer) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


SPREAD = "spread"


def _current_biases(_fit: Fit, recipe: Recipe) -> str:
    return ", ".join(dict.fromkeys(str(layer.bias_initializer) for layer in recipe.hidden))


def bias_levels(_fit: Fit, recipe: Recipe) -> tuple[str, ...]:
    """Spread biases, where they all start alike."""
    biased = [layer for layer in recipe.hidden if layer.use_bias]
    alike = ("zeros", "ones", "constant")
    return (SPREAD,) if biased and biased[0].bias_initializer.name in alike else ()


def bias_spread(fit: Fit, recipe: Recipe, index: int) -> float:
    """Bound a of the uniform biases (-a, a) that spread a layer's hinges over its inputs.

    A unit bends at -b / w, so biases as large as the largest weight times the largest input put the
    hinges at all places of the input's range. Hidden layers' inputs are taken as of size one.
    """
    inputs, units, _biased = recipe.shapes[index]
    weight = recipe.layers[index].kernel_initializer.root_mean_square(inputs, units) * np.sqrt(3.0)
    reach = 1.0
    if index == 0:
        x = recipe.input_transform(fit.x) if recipe.input_transform else fit.x
        reach = float(np.max(np.abs(x)))
    return float(f"{weight * reach:.2g}")


def _with_biases(fit: Fit, recipe: Recipe, _level: str) -> Recipe:
    hidden = []
    for index, layer in enumerate(recipe.hidden):
        bound = bias_spread(fit, recipe, index)
        spread = Initializer("random_uniform", minval=-bound, maxval=bound)
        hidden.append(replace(layer, bias_initializer=spread))
    return recipe.with_hidden(tuple(hidden))


KERNEL_INITIALIZER = Factor(
    "kernel_initializer",
    "initializer",
    "Is it the initializer?",
    _current_initializer,
    _initializers,
    _with_initializer,
)

BIAS_INITIALIZER = Factor(
    "bias_initializer",
    "bias initializer",
    "Is it the start of the biases?",
    _current_biases,
    bias_levels,
    _with_biases,
)
