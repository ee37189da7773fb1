"""The starting case, step by step beside Keras: same start, same orders, same weights."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

from tests.fits import UNIFORM, recipe, sine
from whyfit.engine import lanes
from whyfit.engine.initializers import draw

keras = pytest.importorskip("keras")

SAMPLES, EPOCHS = 10_000, 30
STEPS = 9_390
"""Thirty epochs of 313 batches, the last of which holds 16 samples."""

pytestmark = [pytest.mark.framework, pytest.mark.slow]


def test_weights_after_9390_steps_are_those_of_keras():
    plan = recipe((4,), kernel=UNIFORM, rate=1e-3, epochs=EPOCHS)
    assert plan.steps(SAMPLES) == STEPS
    x, y = sine(SAMPLES)
    # Each order of the samples is one that both are given; Keras must not shuffle again.
    random = np.random.default_rng(0)
    orders = np.array([random.permutation(SAMPLES) for _epoch in range(EPOCHS)])
    start = draw(plan, seed=3, first=0, count=1)

    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    )
    model.compile(loss="mse", optimizer="adam")
    network = plan.network(start[0])
    model.set_weights([each for layer in network.layers for each in (layer.weight, layer.bias)])
    for order in orders:
        model.fit(x[order], y[order], batch_size=32, epochs=1, shuffle=False, verbose=0)
    theirs = np.concatenate([each.ravel() for each in model.get_weights()])

    trained = lanes.train(plan, x, y, start, order=lanes.Order(rows=orders.astype(np.int32)))
    ours = trained.weights[0]
    assert np.max(np.abs(theirs - start[0])) > 0.3  # training went somewhere
    assert np.max(np.abs(ours - theirs)) < 1e-3
    difference = plan.network(ours.astype(np.float64))(x) - model.predict(x, verbose=0)
    assert np.max(np.abs(difference)) < 1e-3 * np.ptp(y)
