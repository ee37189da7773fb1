"""What single rules see, on fits made for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.fits import HE, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import EarlyStopping, Optimizer, Recipe
from whyfit.rules import (
    hinges_share_one_point,
    learning_rate_too_high,
    learning_rate_too_low,
    no_bias,
    output_cannot_reach_target,
    target_not_scaled,
    training_too_short,
)


def without_biases(one: Recipe) -> Recipe:
    return replace(one, layers=tuple(replace(each, use_bias=False) for each in one.layers))


def test_sigmoids_without_biases_are_odd_before_the_output():
    x = np.linspace(-3.0, 3.0, 80)[:, None]
    one = without_biases(recipe((5,), "sigmoid", output="sigmoid", epochs=5))
    evidence = gather(fit_of(one, x, 0.5 + 0.5 * np.cos(x)))
    assert evidence.identities.odd < 1e-9
    said = no_bias.check(evidence)
    assert said is not None
    assert "output's activation" in said.message


def test_a_stuck_output_is_seen():
    """All weights of one sign and a ReLU output: it is off for every sample, as no target is."""
    x = np.linspace(0.1, 1.0, 50)[:, None]
    fit = fit_of(recipe((3,), "relu", output="relu", epochs=2), x, 1.0 + x)

    def dead(network):
        *hidden, last = network.layers
        return replace(network, layers=(*hidden, replace(last, bias=last.bias - 100.0)))

    end = dead(fit.end)
    stuck = gather(replace(fit, end=end, predictions=end(x)))
    said = output_cannot_reach_target.check(stuck)
    assert said is not None
    assert said.proof is None
    assert said.remedies == (Change("output_activation", "linear"),)
    alive = replace(fit, predictions=1.0 + 0.5 * x)
    assert output_cannot_reach_target.check(gather(alive)) is None


def test_a_rate_above_the_bound_is_seen_though_the_loss_is_calm():
    x = np.linspace(0.0, 50.0, 60)[:, None]
    one = recipe((6,), kernel=HE, epochs=30, batch_size=60)
    one = replace(one, optimizer=Optimizer("sgd", 0.05))
    fit = fit_of(one, x, np.sin(x / 10.0))
    calm = replace(fit, history={"loss": (0.5,) * 30})
    said = learning_rate_too_high.check(gather(calm))
    assert said is not None
    assert "curvature" in said.message
    slow = replace(one, optimizer=Optimizer("sgd", 1e-7))
    assert learning_rate_too_high.check(gather(replace(calm, recipe=slow))) is None


def test_steps_that_cannot_leave_the_start():
    x, y = sine(60, -1.0, 1.0)
    one = recipe((8,), kernel=HE, rate=1e-6, epochs=40, batch_size=60)
    said = learning_rate_too_low.check(gather(fit_of(one, x, y)))
    assert said is not None


def stopped(fit: Fit, epochs: int) -> Fit:
    recipe_ = replace(fit.recipe, early_stopping=EarlyStopping(3, 0.01), epochs=epochs)
    return replace(fit, recipe=recipe_)


def test_training_that_ended_itself():
    x, y = sine(60)
    fit = fit_of(recipe(epochs=8, batch_size=1), x, y)
    fit = replace(fit, history={"loss": (0.5,) * 8})
    said = training_too_short.check(gather(stopped(fit, 100)))
    assert said is not None
    assert "8 of 100 epochs" in said.message
    assert Change("early_stopping", "none") in said.remedies
    assert training_too_short.check(gather(stopped(fit, 8))) is None


def test_few_steps_are_seen_though_the_loss_lies_still():
    x, y = sine(60)
    fit = replace(fit_of(recipe(epochs=5), x, y), history={"loss": (0.5,) * 5})
    said = training_too_short.check(gather(fit))
    assert said is not None
    assert "10 steps in all" in said.message
    assert [change.to for change in said.remedies if change.factor == "epochs"] == ["x4", "1000"]
    enough = replace(fit_of(recipe(epochs=200), x, y), history={"loss": (0.5,) * 200})
    assert training_too_short.check(gather(enough)) is None


def test_equal_biases_share_a_point_but_for_rounding():
    """A bias of 1e-17 is zero but for rounding: biases are to be spread, not inputs scaled."""
    x, y = sine(60, 19.0, 21.0)
    fit = fit_of(recipe((8,), kernel=HE, epochs=1), x, y)
    first, *others = fit.start.layers
    nudged = replace(first, bias=first.bias + 1e-17 * np.arange(8))
    fit = replace(fit, start=replace(fit.start, layers=(nudged, *others)))
    said = hinges_share_one_point.check(gather(fit))
    assert said is not None
    assert said.remedies == (Change("bias_initializer", "spread"),)


def test_a_heavy_tail_is_seen():
    x = np.arange(1.0, 1001.0)[:, None] / 500.0 - 1.0
    y = 1.0 / np.arange(1.0, 1001.0)[:, None]
    said = target_not_scaled.check(gather(fit_of(recipe(epochs=1), x, y / y.std())))
    assert said is not None
    assert not said.remedies
