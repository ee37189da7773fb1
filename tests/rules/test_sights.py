"""What single rules see, on fits made for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.fits import HE, fit_of, recipe, sine
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.fit import DrawnLine, Fit, Scaler
from whyfit.records.recipe import LINEAR, Affine, EarlyStopping, Initializer, Optimizer, Recipe
from whyfit.rules import (
    hinges_outside_data,
    hinges_share_one_point,
    initial_weights_too_large,
    learning_rate_too_high,
    learning_rate_too_low,
    no_bias,
    output_cannot_reach_target,
    outside_training_range,
    plot_order,
    target_not_scaled,
    training_too_short,
    units_dead_at_start,
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
    assert learning_rate_too_high.check(gather(fit_of(slow, x, np.sin(x / 10.0)))) is None


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
    patient = replace(stopped(fit, 100).recipe, early_stopping=EarlyStopping(3, 0.0))
    said = training_too_short.check(gather(replace(fit, recipe=patient)))
    assert said is not None
    assert "3 of them without progress" in said.message


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


def test_a_straight_target_needs_no_bends():
    """On raw x from 1 to 750 half of the units are off and none bends: y = 2 x asks for neither."""
    x = np.linspace(1.0, 750.0, 300)[:, None]
    one = recipe((8,), kernel=HE, epochs=3, batch_size=100)
    straight, curved = (gather(fit_of(one, x, y)) for y in (2.0 * x, (x - 375.0) ** 2 / 1e4))
    for rule in (hinges_outside_data, hinges_share_one_point, units_dead_at_start):
        assert rule.check(curved) is not None
        assert rule.check(straight) is None


def test_too_few_live_units_for_a_line_are_seen():
    x = np.linspace(1.0, 750.0, 300)[:, None]
    fit = fit_of(recipe((4,), kernel=HE, epochs=3, batch_size=100), x, 2.0 * x)
    hidden, last = fit.start.layers
    for live, seen in ((2, False), (1, True), (0, True)):
        weight = np.where(np.arange(4) < live, 1.0, -1.0)[None]
        start = replace(fit.start, layers=(replace(hidden, weight=weight), last))
        said = units_dead_at_start.check(gather(replace(fit, start=start)))
        assert (said is not None) is seen


def asked_at(asked: np.ndarray, weight: float, scaler: Scaler | None = None) -> str:
    """What is said of predictions at these x, one unit of the end network having this weight."""
    x, y = sine(60, -1.0, 1.0)
    fit = fit_of(recipe((3,), kernel=HE, epochs=3), x, y)
    hidden, last = fit.end.layers
    weights, biases = np.array([[1.0, -1.0, weight]]), np.array([0.5, -0.25, -1.0])
    end = replace(fit.end, layers=(replace(hidden, weight=weights, bias=biases), last))
    said = outside_training_range.check(
        gather(replace(fit, end=end, asked=asked[:, None], input_scaler=scaler))
    )
    assert said is not None
    return said.message


def test_where_the_last_bend_is():
    right, left = np.linspace(0.0, 4.0, 40), np.linspace(-4.0, 0.0, 40)
    assert asked_at(right, 0.5).endswith("; beyond x = 2 it has no bend")
    assert asked_at(left, 0.5).endswith("; below x = -0.5 it has no bend")
    # A unit whose weight is nothing bends at 1e16: that is nowhere.
    assert asked_at(right, 1e-16).endswith("never trained")


def test_places_are_told_in_the_units_of_before_a_scaler():
    degrees = Scaler("StandardScaler", Affine((180.0,), (100.0,)))
    said = asked_at(np.linspace(0.0, 4.0, 40), 0.5, degrees)
    assert "lie outside [80, 280]" in said
    assert said.endswith("; beyond x = 380 it has no bend")


def test_a_line_over_inputs_of_before_they_were_scaled():
    """x and its square, both normalised by hand, and a plot over x as it was."""
    random = np.random.default_rng(0)
    before = random.uniform(50.0, 230.0, 120)
    columns = np.stack([before, before**2], axis=1)
    x = ((columns - columns.mean(0)) / columns.std(0)).astype(np.float32).astype(float)
    fit = fit_of(recipe((3,), kernel=HE, inputs=2, epochs=2), x, before[:, None] / 100.0)

    def seen(drawn: np.ndarray) -> bool:
        return plot_order.check(gather(replace(fit, drawn=(DrawnLine(drawn),)))) is not None

    assert seen(before)
    assert seen(x[:, 1])
    assert not seen(np.sort(before))
    assert not seen(random.permutation(before) + random.normal(0.0, 1.0, 120))


def test_adagrad_that_hardly_moves():
    x, y = sine(200, -1.0, 1.0)
    one = recipe((8,), "tanh", kernel=Initializer("glorot_uniform"), epochs=40, batch_size=50)
    slow, fast = (replace(one, optimizer=Optimizer("adagrad", rate)) for rate in (1e-4, 0.3))
    said = learning_rate_too_low.check(gather(fit_of(slow, x, y)))
    assert said is not None
    assert "moved the output weights" in said.message
    assert learning_rate_too_low.check(gather(fit_of(fast, x, y))) is None


def test_an_output_stuck_at_a_bound_where_most_targets_lie():
    """1 / x: nearly all targets lie near 0, and a ReLU output that is off is no fit all the same."""
    x = np.arange(1.0, 301.0)[:, None]
    fit = fit_of(recipe((3,), "relu", output="relu", epochs=2), x, 1.0 / x)
    *hidden, last = fit.end.layers
    end = replace(fit.end, layers=(*hidden, replace(last, bias=last.bias - 1e6)))
    stuck = replace(fit, end=end, predictions=end(x))
    said = output_cannot_reach_target.check(gather(stuck))
    assert said is not None
    # Targets that are 0 but for a few, and an output that is 0 there and follows the few.
    follows = np.where(x < 20.0, 1.0 / x, 0.0)
    assert output_cannot_reach_target.check(gather(replace(fit, predictions=follows))) is None


def test_one_unit_that_starts_with_a_large_weight_of_the_wrong_sign():
    """relu(-10 x) of y = relu(x) shrinks until its outputs are rounding beside the targets."""
    x = np.linspace(-3.0, 3.0, 100)[:, None]
    one = without_biases(recipe((), output="relu", kernel=Initializer("constant", value=-10.0)))
    one = replace(one, optimizer=Optimizer("sgd", 0.1), batch_size=100, epochs=300)
    fit = fit_of(one, x, np.maximum(x, 0.0))
    assert 0.0 < np.max(fit.predictions) < 1e-6
    evidence = gather(fit)
    assert evidence.identities.at_bound == 1.0
    assert output_cannot_reach_target.check(evidence) is not None
    assert initial_weights_too_large.check(evidence) is not None
    line = replace(one, layers=(replace(one.layers[0], activation=LINEAR),))
    assert initial_weights_too_large.check(gather(fit_of(line, x, x))) is None


def test_a_softmax_over_one_output_is_always_one():
    x = np.linspace(0.0, 1.0, 50)[:, None]
    said = output_cannot_reach_target.check(
        gather(fit_of(recipe((4,), output="softmax", epochs=2), x, x))
    )
    assert said is not None
    assert "(always 1)" in said.message
    assert said.proof == "confirmed"


def test_a_first_step_that_switches_units_off_is_too_long():
    """Late deaths, or few, are no sign of it."""
    x, y = sine()
    evidence = gather(fit_of(recipe((8,), kernel=HE, epochs=50), x, y))
    for epoch, units, suspected in ((1, 4, True), (1, 1, False), (30, 4, False)):
        dead = tuple((1, unit, epoch) for unit in range(units))
        said = learning_rate_too_high.check(replace(evidence, deaths=dead))
        assert (said is not None) == suspected
        if said is not None:
            assert "4 of 8 hidden units" in said.message
            assert said.remedies == (Change("learning_rate", "/10"),)


def test_what_ended_itself_while_the_loss_crept_down_had_not_come_to_a_halt():
    x, y = sine()
    stopping = EarlyStopping(patience=5, min_delta=1e-2)
    one = replace(recipe((8,), epochs=100), early_stopping=stopping)
    fit = fit_of(one, x, y)
    for losses, halted in (
        (tuple(1.0 - 1e-3 * at for at in range(40)), False),
        (tuple(1.0 + 1e-3 * (-1) ** at for at in range(40)), True),
    ):
        ended = replace(fit, epochs_done=40, history={"loss": losses})
        said = training_too_short.check(gather(ended))
        assert said is not None
        assert ("come to a halt" in said.message) == halted
