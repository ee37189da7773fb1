"""A batch of more than 128 samples passes in parts. With every sample twice the means stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Penalty, Recipe

UNIFORM = Initializer("torch_uniform")
HALF = 128


def layer(units: int, activation: str, **more) -> DenseLayer:
    return DenseLayer(
        units, Activation(activation), kernel_initializer=UNIFORM, bias_initializer=UNIFORM, **more
    )


RECIPES = {
    "shallow": ((layer(4, "relu"), layer(1, "linear")), "mse"),
    "shallow in tiles": ((layer(9, "tanh"), layer(1, "linear")), "mae"),
    "deep": ((layer(7, "elu"), layer(40, "relu"), layer(2, "linear")), "mse"),
    "staged": ((layer(5, "gelu"), layer(6, "silu"), layer(1, "linear")), "huber"),
    "slopes": (
        (
            layer(6, "prelu", slope_initializer=Initializer("constant", value=0.2)),
            layer(1, "linear"),
        ),
        "mse",
    ),
    "classes": ((layer(6, "relu"), layer(3, "softmax")), "categorical_crossentropy"),
    "no biases": (
        (
            DenseLayer(6, Activation("relu"), use_bias=False, kernel_initializer=UNIFORM),
            layer(1, "linear"),
        ),
        "mse",
    ),
    "penalised outputs": (
        (layer(6, "relu", activity_penalty=Penalty(0.01, 0.02)), layer(1, "linear")),
        "mse",
    ),
    "dropout": ((layer(6, "relu", dropout=0.3), layer(1, "linear")), "mse"),
}


def recipe(name: str, batch_size: int) -> Recipe:
    layers, loss = RECIPES[name]
    return Recipe(
        2 if name.startswith("shallow") else 3,
        layers,
        loss,
        Optimizer("sgd", 0.05),
        batch_size,
        epochs=20,
        shuffle=False,
    )


def ends(name: str, times: int, *, weighted: bool = False) -> np.ndarray:
    """End weights after 20 steps, each on all samples so many times."""
    plan = recipe(name, times * HALF)
    random = np.random.default_rng(1)
    x = random.normal(size=(HALF, plan.inputs))
    outputs = plan.layers[-1].units
    y = (
        np.eye(outputs)[random.integers(outputs, size=HALF)]
        if name == "classes"
        else x[:, :outputs] ** 2
    )
    weight = np.tile(random.uniform(0.1, 2.0, HALF), times) if weighted else None
    starts = draw(plan, 0, 0, 3)
    found = train(
        plan,
        np.tile(x, (times, 1)),
        np.tile(y, (times, 1)),
        starts,
        sample_weight=weight,
        precision="float64",
    )
    assert np.all(np.isfinite(found.weights))
    assert not np.allclose(found.weights, starts, rtol=1e-3)
    return found.weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("name", [each for each in RECIPES if each != "dropout"])
def test_parts_add_up(name: str, times: int, weighted: bool):
    once, often = ends(name, 1, weighted=weighted), ends(name, times, weighted=weighted)
    assert often == pytest.approx(once, rel=1e-9, abs=1e-12)


def test_each_part_has_dropout_of_its_own():
    """With the same units dropped in both halves the ends would be those of one."""
    once, twice = ends("dropout", 1), ends("dropout", 2)
    assert not np.allclose(once, twice, rtol=1e-6)


def test_batches_that_no_part_divides():
    """129 and 257 samples, against the same steps with the last sample's weight split in two."""
    for samples in (129, 257):
        plan = replace(recipe("deep", samples), epochs=10)
        x = np.random.default_rng(2).normal(size=(samples, 3))
        y, starts = x[:, :2] ** 2, draw(plan, 0, 0, 2)
        whole = train(plan, x, y, starts, precision="float64")
        again = np.append(np.arange(samples), samples - 1)
        weight = np.ones(samples + 1)
        weight[-2:] = 0.5
        # Keras divides by the number of samples, whatever their weights.
        weight *= (samples + 1) / samples
        longer = replace(plan, batch_size=samples + 1)
        split = train(longer, x[again], y[again], starts, sample_weight=weight, precision="float64")
        assert split.weights == pytest.approx(whole.weights, rel=1e-9, abs=1e-12)
