"""What chance does to the end error, dropout and the data order, beside Keras's own `fit`.

All runs begin at one start; Keras trains 40 times, the engine 512 times. The two samples of end errors
must not be told apart by a Kolmogorov-Smirnov test, and a wrong rate or no shuffling must be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests import fits
from tests.engine import parity
from whyfit.engine.lanes import Order, train
from whyfit.records.recipe import Optimizer, Recipe

pytestmark = pytest.mark.framework

RUNS = 40
RATE = 0.4
DOUBT = 1e-3
"""Below this probability two samples are held to be of different distributions."""


def recipe(rate: float, *, shuffle: bool) -> Recipe:
    """Eight tanh units, trained in strides long enough for chance to show."""
    found = fits.recipe((8,), "tanh", epochs=4, batch_size=8, inputs=2, shuffle=shuffle)
    first = replace(found.layers[0], dropout=rate, kernel_initializer=parity.HE)
    return replace(
        found, layers=(first, *found.layers[1:]), optimizer=Optimizer("sgd", 0.3, momentum=0.5)
    )


def errors_of_keras(plan: Recipe, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Mean squared errors after RUNS fits from one start, measured without dropout."""
    import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    rate = plan.layers[0].dropout
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(8, activation="tanh"),
            *([layers.Dropout(rate)] if rate else []),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.3, momentum=0.5), "mse")
    parts = parity.tensors(plan, start)
    shapes = [each.shape for each in model.get_weights()]
    weights = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    errors = []
    for _run in range(RUNS):
        model.set_weights(weights)
        if model.optimizer.built:
            for variable in model.optimizer.variables:
                if variable is not model.optimizer.learning_rate:
                    variable.assign(np.zeros(variable.shape))
        model.fit(x, y, batch_size=8, epochs=plan.epochs, shuffle=plan.shuffle, verbose=0)
        parts = [each.ravel() for each in model.get_weights()]
        errors.append(np.mean((plan.network(np.concatenate(parts))(x) - y) ** 2))
    return np.array(errors)


def errors_of_engine(plan: Recipe, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The same 512 times in the engine."""
    starts = np.repeat(start[None], 512, axis=0)
    return train(plan, x, y, starts, order=Order("replicate", seed=3)).mean_squared_error


@pytest.mark.parametrize(
    ("rate", "shuffle", "wrong"),
    [
        (RATE, False, {"rate": RATE / 2, "shuffle": False}),
        (0.0, True, {"rate": 0.0, "shuffle": False}),
    ],
    ids=["dropout", "shuffling"],
)
def test_end_errors_are_those_of_keras(rate: float, shuffle: bool, wrong: dict):
    x, y = parity.data(2, 1)
    plan = recipe(rate, shuffle=shuffle)
    start = parity.starts_of(plan, 1)[0]
    theirs = errors_of_keras(plan, x, y, start)
    assert len(np.unique(theirs)) == RUNS
    ours = errors_of_engine(plan, x, y, start)
    assert stats.ks_2samp(theirs, ours).pvalue > DOUBT
    assert stats.ks_2samp(theirs, errors_of_engine(recipe(**wrong), x, y, start)).pvalue < DOUBT
