"""A kernel of more than 65 536 weights takes its step part by part, while its gradient is computed.

A bound that no gradient reaches has it wait for the whole gradient, as small kernels do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whyfit.engine.initializers import draw
from whyfit.engine.lanes import TARGETS, train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

UNIFORM = Initializer("torch_uniform")


def layer(units: int, activation: str) -> DenseLayer:
    return DenseLayer(
        units, Activation(activation), kernel_initializer=UNIFORM, bias_initializer=UNIFORM
    )


RECIPE = Recipe(
    2,
    (layer(223, "relu"), layer(301, "tanh"), layer(5, "gelu"), layer(1, "linear")),
    "mse",
    Optimizer("adam", 1e-3),
    batch_size=20,
    epochs=2,
)


def ends(recipe: Recipe, target: str, precision: str = "float32") -> np.ndarray:
    """End weights, (2, parameters); the last batch is short."""
    x = np.random.default_rng(0).uniform(-1, 1, (45, 2))
    y = np.sin(3 * x[:, :1])
    options = {"target": target, "precision": precision}
    return train(recipe, x, y, draw(recipe, 0, 0, 2), **options).weights


def waiting(recipe: Recipe) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, clipvalue=1e30))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_same_as_after_the_whole_gradient(target: str, precision: str):
    now, later = (ends(each, target, precision) for each in (RECIPE, waiting(RECIPE)))
    assert np.array_equal(now, later)
    start = draw(RECIPE, 0, 0, 2).astype(precision)
    assert np.mean(now != start) > 0.9  # all but those of dead units


@pytest.mark.parametrize(
    "name",
    ["sgd", "rmsprop", "adam", "adamax", "nadam", "adagrad", "adadelta"],
)
def test_every_optimizer(name: str):
    recipe = replace(
        RECIPE, optimizer=Optimizer(name, 0.01, momentum=0.9 if name == "sgd" else 0.0)
    )
    assert np.array_equal(ends(recipe, TARGETS[0]), ends(waiting(recipe), TARGETS[0]))


def test_a_frozen_kernel_stays():
    first, large, *rest = RECIPE.layers
    recipe = replace(RECIPE, layers=(first, replace(large, trainable=False), *rest))
    found, start = ends(recipe, TARGETS[0]), draw(recipe, 0, 0, 2)
    assert np.array_equal(found, ends(waiting(recipe), TARGETS[0]))
    before, count = 2 * 223 + 223, 223 * 301 + 301
    assert np.array_equal(
        found[:, before : before + count], np.float32(start[:, before : before + count])
    )
    assert np.all(found[:, :before] != start[:, :before])
