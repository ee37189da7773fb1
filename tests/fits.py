"""Fits without a framework: the engine trains, and the records look as if Keras had."""

from __future__ import annotations

import numpy as np

from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.records.fit import Fit, Place, WeightHistory
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

UNIFORM = Initializer("random_uniform")
HE = Initializer("he_uniform")
ZEROS = Initializer("zeros")


def recipe(
    units: tuple[int, ...] = (4,),
    activation: str = "relu",
    *,
    kernel: Initializer = UNIFORM,
    bias: Initializer = ZEROS,
    rate: float = 1e-2,
    epochs: int = 60,
    batch_size: int = 32,
    inputs: int = 1,
    outputs: int = 1,
    output: str = "linear",
    shuffle: bool = True,
) -> Recipe:
    """A dense recipe with few words."""
    hidden = tuple(DenseLayer(each, Activation(activation), True, kernel, bias) for each in units)
    last = DenseLayer(outputs, Activation(output), True, kernel)
    return Recipe(
        inputs, (*hidden, last), "mse", Optimizer("adam", rate), batch_size, epochs, shuffle
    )


def sine(samples: int = 400, low: float = 0.0, high: float = 1.0):
    """One period of a sine over [low, high], targets in [0, 1]."""
    phase = np.linspace(0.0, 1.0, samples)[:, None]
    return low + (high - low) * phase, 0.5 + 0.5 * np.sin(2 * np.pi * phase)


def fit_of(recipe: Recipe, x: np.ndarray, y: np.ndarray, seed: int = 0, replicate: int = 0) -> Fit:
    """A fit as a capture would give it, from one start of the engine."""
    starts = draw(recipe, seed, 0, 16)
    trained = train(recipe, x, y, starts, history=True, snapshot_every=1)
    weights = trained.weights[replicate].astype(np.float64)
    history = WeightHistory(
        np.arange(recipe.epochs + 1),
        np.concatenate([starts[replicate][None], trained.snapshots[replicate]]),
    )
    end = recipe.network(weights)
    return Fit(
        framework="keras",
        place=Place("script.py", 1),
        x=x,
        y=y,
        x_shape=x.shape,
        y_shape=y.shape,
        recipe=recipe,
        unsupported=None,
        start=recipe.network(starts[replicate]),
        end=end,
        predictions=end(x),
        weight_history=history,
        history={"loss": tuple(trained.history[replicate])},
        epochs_done=recipe.epochs,
    )
