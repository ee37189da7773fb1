"""What the parity tests share: data, starts, and how far two rows of weights are apart."""

from __future__ import annotations

import numpy as np

from whyfit.engine.initializers import draw
from whyfit.engine.lanes import Order, train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

STEPS = 200
SAMPLES = 64
BATCH = 16

HE = Initializer("he_normal")
SMALL = Initializer("random_normal", stddev=0.3)
"""Biases apart from zero, so that no unit sits on a kink by construction."""


def data(inputs: int, outputs: int, kind: str = "values") -> tuple[np.ndarray, np.ndarray]:
    """Smooth targets of irregular inputs: values, positive values, probabilities or classes."""
    random = np.random.default_rng(7)
    x = random.normal(size=(SAMPLES, inputs))
    y = np.sin(x @ random.normal(size=(inputs, outputs))) + 0.1 * random.normal(
        size=(SAMPLES, outputs)
    )
    match kind:
        case "positive":
            y = np.abs(y) + 0.2
        case "probabilities":
            y = (y > 0).astype(float)
        case "classes":
            y = np.eye(outputs)[np.argmax(y, axis=1)]
        case _:
            pass
    return x, y


def kind_of_targets(recipe: Recipe) -> str:
    """The data that the recipe's loss is meant for."""
    return {
        "binary_crossentropy": "probabilities",
        "categorical_crossentropy": "classes",
        "mape": "positive",
        "msle": "positive",
    }.get(recipe.loss, "values")


def recipe_of(
    activation: Activation | str = "tanh",
    loss: str = "mse",
    optimizer: Optimizer | None = None,
    *,
    output: str = "linear",
    units: tuple[int, ...] = (5, 4),
    inputs: int = 2,
    outputs: int = 2,
    **rest,
) -> Recipe:
    """A recipe of 200 steps."""
    if isinstance(activation, str):
        activation = Activation(activation)
    hidden = tuple(
        DenseLayer(each, activation, kernel_initializer=HE, bias_initializer=SMALL)
        for each in units
    )
    last = DenseLayer(outputs, Activation(output), kernel_initializer=HE, bias_initializer=SMALL)
    return Recipe(
        inputs,
        (*hidden, last),
        loss,
        optimizer or Optimizer("sgd", 0.05),
        BATCH,
        STEPS * BATCH // SAMPLES,
        shuffle=False,
        **rest,
    )


def ours(recipe: Recipe, x, y, starts, precision: str, **options) -> np.ndarray:
    """End weights of the engine in the order of the data."""
    order = Order("given")
    return train(recipe, x, y, starts, precision=precision, order=order, **options).weights


def starts_of(recipe: Recipe, count: int = 3) -> np.ndarray:
    """Start weights, each exact in float32."""
    return draw(recipe, 11, 0, count).astype(np.float32).astype(np.float64)


def tensors(recipe: Recipe, row: np.ndarray) -> list[np.ndarray]:
    """The kernels, biases and slopes of a row of weights."""
    parts, at = [], 0
    for (rows, columns, biased), layer in zip(recipe.shapes, recipe.layers, strict=True):
        for size in (rows * columns, columns * biased, layer.slopes):
            if size:
                parts.append(row[at : at + size])
                at += size
    return parts


def difference(recipe: Recipe, row: np.ndarray, reference: np.ndarray) -> float:
    """Largest relative difference of a weight tensor: the largest deviation over the largest weight."""
    apart = [
        np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-3)
        for a, b in zip(
            tensors(recipe, row.astype(np.float64)), tensors(recipe, reference), strict=True
        )
    ]
    return float(np.max(apart))
