"""From the same start, in the same order, the engine ends where Keras does.

The reference is Keras's own train step on JAX in float64, 200 steps. Bounds, of the largest deviation
in a weight tensor relative to its largest weight: 1e-9 for the engine in float64, 1e-4 in float32.

Keras's mean rounds to float32 even in float64 (as its tanh does, see keras_reference), which leaves the
gradient exact only where batch size and outputs are powers of two; hence 16, and 1, 2 or 4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.engine import keras_reference, parity
from tests.engine.parity import recipe_of
from whyfit.records.network import Activation
from whyfit.records.recipe import Optimizer, Penalty, Recipe
from whyfit.records.schedule import Schedule

pytestmark = pytest.mark.framework

RATES = {"adagrad": 0.05, "adadelta": 1.0, "sgd": 0.05}


def optimizer(name: str, **constants) -> Optimizer:
    defaults = {"initial_accumulator": 0.1} if name == "adagrad" else {}
    if name == "adadelta":
        defaults["rho"] = 0.95
    return Optimizer(name, RATES.get(name, 0.01), **{**defaults, **constants})


OPTIMIZERS = {
    "sgd": optimizer("sgd"),
    "sgd momentum": optimizer("sgd", momentum=0.9),
    "sgd nesterov": optimizer("sgd", momentum=0.9, nesterov=True),
    "sgd decay": optimizer("sgd", momentum=0.5, weight_decay=0.02),
    "rmsprop": optimizer("rmsprop"),
    "rmsprop centered momentum": optimizer("rmsprop", momentum=0.7, centered=True, epsilon=1e-3),
    "adam": optimizer("adam"),
    "adam amsgrad": optimizer("adam", amsgrad=True),
    "adamw": optimizer("adamw", weight_decay=0.02),
    "adamax": optimizer("adamax"),
    "nadam": optimizer("nadam"),
    "adagrad": optimizer("adagrad"),
    "adadelta": optimizer("adadelta"),
    "clipnorm": optimizer("sgd", clipnorm=0.05),
    "global_clipnorm": optimizer("adam", global_clipnorm=0.05),
    "clipvalue": optimizer("sgd", momentum=0.9, clipvalue=0.02),
}

ACTIVATIONS = [
    *(Activation(each) for each in ("linear", "relu", "elu", "selu", "tanh", "sigmoid")),
    *(Activation(each) for each in ("gelu", "gelu_tanh", "silu", "mish", "softplus")),
    *(Activation(each) for each in ("softsign", "hard_sigmoid", "hard_tanh", "exponential")),
    *(Activation(each) for each in ("sine", "relu6", "leaky_relu", "prelu")),
    Activation("leaky_relu", (0.05,)),
    Activation("elu", (0.5,)),
    Activation("bounded_relu", (0.1, 1.0, 0.0)),
    Activation("bounded_relu", (0.0, np.inf, 0.3)),
]

LOSSES = {
    "mse": recipe_of(loss="mse"),
    "mae": recipe_of(loss="mae"),
    "huber": recipe_of(loss="huber", loss_constant=0.3),
    "log_cosh": recipe_of(loss="log_cosh"),
    "mape": recipe_of(loss="mape", optimizer=Optimizer("sgd", 1e-4)),
    "msle": recipe_of(loss="msle"),
    "sum of squares": recipe_of(loss="mse", reduction="sum", optimizer=Optimizer("sgd", 1e-3)),
    "binary crossentropy": recipe_of(loss="binary_crossentropy", output="sigmoid"),
    "binary crossentropy, smoothed": recipe_of(
        loss="binary_crossentropy", output="sigmoid", label_smoothing=0.1
    ),
    "binary crossentropy of logits": recipe_of(loss="binary_crossentropy", from_logits=True),
    "categorical crossentropy": recipe_of(
        loss="categorical_crossentropy", output="softmax", outputs=4
    ),
    "categorical crossentropy, not normalised": recipe_of(
        loss="categorical_crossentropy", output="sigmoid", outputs=4
    ),
    "categorical crossentropy of logits": recipe_of(
        loss="categorical_crossentropy", from_logits=True, outputs=4, label_smoothing=0.1
    ),
    "squares of softmax": recipe_of(loss="mse", output="softmax", outputs=4),
}

SCHEDULES = {
    "exponential": Schedule("exponential", interval=70, factor=0.5),
    "stairs": Schedule("exponential", interval=70, factor=0.5, staircase=True),
    "inverse time": Schedule("inverse_time", interval=50, factor=0.7),
    "polynomial": Schedule("polynomial", interval=150, minimum=0.004, power=2.0),
    "polynomial in cycles": Schedule("polynomial", interval=60, minimum=0.004, cycle=True),
    "cosine": Schedule("cosine", interval=150, minimum=0.004),
    "cosine with warm-up": Schedule(
        "cosine", interval=120, minimum=0.004, warmup=40, warmup_target=0.08
    ),
    "piecewise": Schedule("piecewise", boundaries=(50, 120), multiples=(1.0, 0.3, 0.1)),
}


def with_layers(recipe: Recipe, **changes) -> Recipe:
    return replace(recipe, layers=tuple(replace(each, **changes) for each in recipe.layers))


PARTS = {
    "penalties": with_layers(
        recipe_of(), kernel_penalty=Penalty(1e-3, 1e-2), bias_penalty=Penalty(1e-3, 0.0)
    ),
    "activity penalty": replace(
        recipe_of("softplus"),
        layers=(
            replace(recipe_of("softplus").layers[0], activity_penalty=Penalty(1e-2, 1e-2)),
            *recipe_of("tanh").layers[1:],
        ),
    ),
    "no biases": with_layers(recipe_of("sigmoid"), use_bias=False),
    "frozen": replace(
        recipe_of("gelu", optimizer=Optimizer("adamw", 0.01, weight_decay=0.1, clipnorm=0.3)),
        layers=(
            recipe_of("gelu").layers[0],
            replace(recipe_of("gelu").layers[1], trainable=False, kernel_penalty=Penalty(0.1, 0.1)),
            recipe_of("gelu").layers[2],
        ),
    ),
    "one hidden layer, one input": recipe_of("relu", units=(7,), inputs=1, outputs=1),
    "one hidden layer, two inputs": recipe_of("tanh", "huber", units=(6,), outputs=1),
    "one hidden layer of four": recipe_of("leaky_relu", "mae", units=(4,), inputs=1, outputs=1),
    "no hidden layer": recipe_of(units=(), inputs=3, outputs=1),
    "deep and uneven": recipe_of("silu", units=(9, 1, 3, 6), inputs=5, outputs=4),
}


def compare(recipe: Recipe, weight: np.ndarray | None = None, double_bound: float = 1e-9) -> None:
    x, y = parity.data(recipe.inputs, recipe.layers[-1].units, parity.kind_of_targets(recipe))
    starts = parity.starts_of(recipe)
    reference = keras_reference.train_steps(recipe, x, y, starts[0], weight)
    moved = parity.difference(recipe, starts[0], reference)
    assert moved > 1e-3, "the reference did not train"
    for precision, bound in (("float64", double_bound), ("float32", 1e-4)):
        rows = parity.ours(recipe, x, y, starts, precision, sample_weight=weight)
        assert parity.difference(recipe, rows[0], reference) <= bound, precision


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str):
    compare(recipe_of("tanh", optimizer=OPTIMIZERS[name]))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: Activation):
    if activation.name == "exponential":  # of an exponential overflows at the first step
        compare(recipe_of(activation, units=(5,), optimizer=OPTIMIZERS["adam"]))
    else:
        compare(recipe_of(activation))


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str):
    compare(LOSSES[name])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str):
    # Keras's CosineDecay takes its cosine in float32, whatever the precision (ops.cos).
    bound = 1e-7 if name.startswith("cosine") else 1e-9
    compare(recipe_of(schedule=SCHEDULES[name]), double_bound=bound)


@pytest.mark.parametrize("name", PARTS)
def test_parts(name: str):
    compare(PARTS[name])


@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy"])
def test_weighted_samples(loss: str):
    random = np.random.default_rng(3)
    weight = random.uniform(0.0, 3.0, size=parity.SAMPLES).astype(np.float32).astype(np.float64)
    compare(replace(LOSSES["categorical crossentropy"], loss=loss), weight)
