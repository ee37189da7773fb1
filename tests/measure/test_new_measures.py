"""Gradients, curves, identities, floors, noise in several inputs, and depth, as properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fits import HE, fit_of, recipe, sine
from whyfit.engine.initializers import draw
from whyfit.measure import activity, gradients, identities
from whyfit.measure.capacity import capacity
from whyfit.measure.curve import between_samples, curve_measures, oscillations
from whyfit.measure.data import data_measures, noise_floor, sorted_share
from whyfit.measure.depth import deepened, most_pieces
from whyfit.measure.evidence import gather
from whyfit.measure.hinges import trace_hinges
from whyfit.records.network import Activation, Layer, Network
from whyfit.records.recipe import Initializer, flatten

SMALL = settings(max_examples=25, deadline=None)
WIDE = Initializer("random_normal", stddev=1.0)


def some_network(units: tuple[int, ...], activation: str, seed: int, inputs: int = 1) -> Network:
    one = recipe(units, activation, kernel=WIDE, bias=WIDE, inputs=inputs)
    return one.network(draw(one, seed, 0, 16)[0].astype(np.float64))


# ---- gradients ----


@SMALL
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["relu", "tanh", "sigmoid", "leaky_relu", "elu"]),
    st.integers(0, 99),
)
def test_gradients_are_those_of_the_loss(units: list[int], activation: str, seed: int):
    one = recipe(tuple(units), activation, kernel=WIDE, bias=WIDE, inputs=2)
    network = some_network(tuple(units), activation, seed, inputs=2)
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(7, 2)), random.normal(size=(7, 1))
    at = flatten(network)
    found = np.concatenate(
        [part.ravel() for pair in gradients.gradients(network, x, y) for part in pair]
    )
    for index in random.permutation(len(at))[:6]:
        step = np.zeros(len(at))
        step[index] = 1e-6
        up, down = (np.mean((one.network(at + s * step)(x) - y) ** 2) for s in (1, -1))
        assert found[index] == pytest.approx((up - down) / 2e-6, abs=1e-5, rel=1e-4)


def test_a_unit_off_everywhere_gets_exactly_no_gradient():
    x, y = sine(300)
    one = fit_of(recipe((8,), epochs=2), x, y)
    units = gather(one).start_units
    assert {unit.state for unit in units} == {"off", "on", "bent"} - {"on"}
    assert all(unit.no_gradient == (unit.state == "off") for unit in units)


def test_curvature_of_a_line_is_known():
    x = np.linspace(0.0, 300.0, 40)[:, None]
    y = 60.0 + 0.1 * x
    one = recipe((), epochs=1)
    network = one.network(np.zeros(2))
    design = np.hstack([x, np.ones_like(x)])
    largest = np.linalg.eigvalsh(2.0 * design.T @ design / len(x))[-1]
    assert gradients.curvature(one, network, x, y) == pytest.approx(largest, rel=1e-3)


def test_reach_is_for_normalised_steps_only():
    x, y = sine(64)
    adam = fit_of(recipe(epochs=3, rate=0.01), x, y)
    assert gather(adam).steps is not None
    assert gather(adam).steps.reach == pytest.approx(3 * 2 * 0.01)
    plain = replace(adam.recipe, optimizer=replace(adam.recipe.optimizer, name="sgd"))
    assert gather(replace(adam, recipe=plain)).steps.reach is None


# ---- the curve ----


@SMALL
@given(st.integers(1, 12), st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_oscillations_do_not_depend_on_scale_or_offset(periods: int, scale: float, offset: float):
    x = np.linspace(-1.0, 1.0, 2000)[:, None]
    y = scale * np.sin(np.pi * periods * x) + offset
    found = curve_measures(x, y, 0.0)
    assert found is not None
    assert found.oscillations == pytest.approx(periods, rel=1e-3)
    assert found.per_deviation == pytest.approx(periods / np.sqrt(12.0), rel=1e-2)


def test_noise_does_not_count_as_oscillation():
    x = np.linspace(-1.0, 1.0, 1000)[:, None]
    y = np.sin(np.pi * x) + np.random.default_rng(0).normal(0.0, 0.3, x.shape)
    assert curve_measures(x, y, noise_floor(x, y)).oscillations < 2.5
    assert oscillations(y[:, 0], 0.1) > 20


def test_jumps_and_gaps():
    x = np.linspace(0.0, 1.0, 201)[:, None]
    step = curve_measures(x, (x > 0.5) * 2.0, 0.0)
    assert (step.jump, step.usual_step) == (1.0, 0.0)
    assert step.jump_at == pytest.approx(0.5025)
    assert curve_measures(x, x**2, 0.0).jump < 0.02
    holed = np.concatenate([x[:50], x[150:]])
    assert curve_measures(holed, holed, 0.0).gap == pytest.approx(0.505)
    assert curve_measures(np.hstack([x, x]), x, 0.0) is None


def test_order_and_duplicates():
    x = np.linspace(0.0, 1.0, 400)[:, None]
    shuffled = np.random.default_rng(1).permutation(x)
    assert sorted_share(x) == sorted_share(x[::-1]) == 1.0
    assert 0.4 < sorted_share(shuffled) < 0.6
    assert data_measures(np.repeat(x, 2, axis=0), np.repeat(x, 2, axis=0)).duplicates == 0.5


def test_between_the_samples():
    x = np.linspace(-1.0, 1.0, 9)[:, None]
    line = Network((Layer(np.array([[2.0]]), np.zeros(1), Activation("linear")),))
    assert between_samples(line, x, 2 * x) == pytest.approx(0.0, abs=1e-20)
    assert between_samples(line, x, 2 * x + 1) > 0.5


# ---- noise ----


@pytest.mark.parametrize("samples", [300, 3000])
def test_gamma_test_sees_noise_and_no_noise(samples: int):
    random = np.random.default_rng(2)
    x = random.uniform(0.0, 1.0, (samples, 2))
    clean = x[:, :1] * x[:, 1:]
    noise = random.normal(0.0, 0.2, clean.shape)
    share = 0.04 / float(np.var(clean) + 0.04)
    assert noise_floor(x, clean) < 0.01
    assert noise_floor(x, clean + noise) == pytest.approx(share, rel=0.25)
    assert noise_floor(x, noise) > 0.8


# ---- identities and floors ----


@SMALL
@given(st.integers(1, 6), st.integers(0, 99))
def test_without_biases_tanh_is_odd_and_relu_is_two_lines(units: int, seed: int):
    bare = recipe((units,), "tanh", kernel=WIDE)
    bare = replace(bare, layers=tuple(replace(layer, use_bias=False) for layer in bare.layers))
    network = bare.network(draw(bare, seed, 0, 16)[0].astype(np.float64))
    x = np.linspace(-2.0, 2.0, 41)[:, None]
    y = x**2
    assert identities._odd(network, x) < 1e-12
    assert identities._odd(some_network((units,), "tanh", seed), x) > 1e-6
    relu = replace(
        bare, layers=(replace(bare.layers[0], activation=Activation("relu")), bare.layers[1])
    )
    floor = identities.floors_of(relu, x, y).without_bias
    best = relu.network(draw(relu, seed, 0, 16)[0].astype(np.float64))
    reached = float(np.mean((best(x) - y) ** 2) / np.var(y))
    assert 0.0 < floor <= reached
    assert identities.floors_of(relu, x, np.abs(x)).without_bias == pytest.approx(0.0, abs=1e-20)


def test_broadcast_is_the_mean_over_all_pairs():
    x, y = sine(50)
    one = fit_of(recipe(epochs=2), x, y)
    f = one.predictions
    pairs = float(np.mean((f[:, None, 0] - y[None, :, 0]) ** 2) / np.var(y))
    assert gather(one).identities.broadcast == pytest.approx(pairs)


def test_output_range_floor():
    x = np.linspace(0.0, 2 * np.pi, 400, endpoint=False)[:, None]
    one = recipe(output="relu")
    assert identities.floors_of(one, x, np.sin(x)).output_range == pytest.approx(0.5)
    assert identities.floors_of(recipe(), x, np.sin(x)).output_range == 0.0


def test_equal_units_and_patterns():
    same = fit_of(recipe((4,), kernel=Initializer("ones"), epochs=1), *sine(50))
    evidence = gather(same)
    assert evidence.identities.equal_units == 4
    assert evidence.patterns is not None
    other = gather(fit_of(recipe((4,), kernel=HE, bias=HE, epochs=1), *sine(50)))
    assert other.identities.equal_units == 0


@SMALL
@given(st.integers(0, 99))
def test_patterns_are_the_pieces_met(seed: int):
    network = some_network((3, 2), "relu", seed)
    x = np.linspace(-3.0, 3.0, 4001)[:, None]
    bends = {round(hinge.position, 9) for hinge in trace_hinges(network, -3.0, 3.0) if hinge.inside}
    # Two bends between neighbouring samples hide a pattern; equal patterns can come back.
    assert activity.distinct_patterns(network, x) <= len(bends) + 1


# ---- depth ----


@SMALL
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 99))
def test_no_network_makes_more_pieces_than_the_bound(widths: list[int], seed: int):
    network = some_network(tuple(widths), "relu", seed)
    bends = [
        hinge
        for hinge in trace_hinges(network, -50.0, 50.0)
        if abs(hinge.slope_after - hinge.slope_before) > 1e-9
    ]
    assert len({round(hinge.position, 9) for hinge in bends}) <= most_pieces(widths) - 1


def test_pieces_of_known_shapes():
    assert most_pieces([4]) == 5
    assert most_pieces([1]) == 2
    assert most_pieces([1, 1]) == 3
    assert most_pieces([2, 2]) == 9


@SMALL
@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.integers(0, 99))
def test_a_deep_network_holds_the_shallow_one(widths: list[int], seed: int):
    one = recipe(tuple(widths))
    widest = widths.index(max(widths))
    shallow = some_network((max(widths),), "relu", seed)
    x = np.linspace(-4.0, 3.0, 101)[:, None]
    deep = deepened(shallow, one, widest, x)
    assert [layer.weight.shape[1] for layer in deep.hidden] == widths
    assert np.allclose(deep(x), shallow(x), atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 99))
def test_bounds_bracket_every_fit(widths: list[int], seed: int):
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(-1.0, 1.0, (60, 1)), axis=0)
    y = np.cumsum(random.normal(size=(60, 1)), axis=0)
    one = recipe(tuple(widths), kernel=HE, bias=Initializer("random_uniform", -1.0, 1.0), epochs=40)
    found = capacity(one, x, y)
    assert found is not None
    fit = fit_of(one, x, y, seed)
    assert found.lower_bound <= found.witness + 1e-9
    assert found.lower_bound <= fit.unexplained_variance + 1e-9


def test_one_unit_makes_a_curve_that_only_rises_or_only_falls():
    x = np.linspace(-1.0, 1.0, 201)[:, None]
    narrow = recipe((1,), "tanh")
    # The best monotone curve for a parabola is half of it and a flat line.
    floor = identities.floors_of(narrow, x, x**2).one_unit
    assert 0.3 < floor < 1.0
    assert identities.floors_of(narrow, x, x**3).one_unit == pytest.approx(0.0, abs=1e-20)
    assert identities.floors_of(narrow, x, -(x**3)).one_unit == pytest.approx(0.0, abs=1e-20)
    assert identities.floors_of(recipe((2,), "tanh"), x, x**2).one_unit == 0.0
    assert identities.floors_of(recipe((1,), "gelu"), x, x**2).one_unit == 0.0


def test_no_trained_curve_of_one_unit_undercuts_its_floor():
    for seed in range(6):
        random = np.random.default_rng(seed)
        x = np.round(random.uniform(-1.0, 1.0, (80, 1)), 1)  # with ties
        y = np.sin(4.0 * x) + 0.3 * random.normal(size=x.shape)
        one = recipe((1,), ("tanh", "relu", "sigmoid")[seed % 3], kernel=HE, rate=0.03, epochs=300)
        floor = identities.floors_of(one, x, y).one_unit
        assert 0.0 < floor <= fit_of(one, x, y, seed).unexplained_variance


@pytest.mark.parametrize("inputs", [1, 3])
def test_noise_among_samples_of_one_x_is_what_their_targets_differ_by(inputs: int):
    """Whatever their order, and where neighbours in x would say something else."""
    random = np.random.default_rng(3)
    x = np.repeat(random.uniform(-1, 1, (60, inputs)), 5, axis=0)
    clean = np.sin(40 * x[:, :1])  # too steep between the places to be followed
    noise = random.normal(0, 0.5, clean.shape)
    share = 0.25 / np.var(clean + noise)
    for order in (np.arange(300), random.permutation(300)):
        found = noise_floor(x[order], (clean + noise)[order])
        assert found == pytest.approx(share, rel=0.25)
        assert noise_floor(x[order], clean[order]) == pytest.approx(0.0, abs=1e-12)


def test_a_few_repeats_do_not_decide_alone():
    random = np.random.default_rng(4)
    x = np.linspace(0, 1, 200)[:, None]
    x[:20] = x[20:40]
    y = np.sin(5 * x) + random.normal(0, 0.1, x.shape)
    assert noise_floor(x, y) == pytest.approx(0.01 / np.var(y), rel=0.4)


def test_a_few_targets_far_from_all_others():
    random = np.random.default_rng(5)
    x = random.uniform(0, 1, (300, 1))
    y = 3 * x + 0.5 * np.sin(8 * x)
    assert data_measures(x, y).far is None
    assert data_measures(x, random.normal(0, 1, (300, 1))).far is None
    assert data_measures(x, np.ones_like(x)).far is None
    y[random.choice(300, 6, replace=False)] = 9999.0
    far = data_measures(x, y).far
    assert far is not None
    assert far.count == 6
    assert far.share == pytest.approx(1.0, abs=1e-3)
    y[:60] = 9999.0  # so many are no exception
    assert data_measures(x, y).far is None
