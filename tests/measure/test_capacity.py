"""Bounds from both sides: the witness is run, the lower bound lies below everything trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fits import HE, recipe, sine
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.measure.capacity import capacity
from whyfit.records.fit import unexplained_variance


def test_one_sine_period_with_four_units():
    """The starting case: four units can, two cannot."""
    x, y = sine(2000)
    four = capacity(recipe((4,)), x, y)
    assert four is not None
    assert 0.0016 < four.lower_bound <= four.witness < 0.0017
    assert four.network.layers[0].weight.shape == (1, 4)
    assert unexplained_variance(four.network(x), y) == pytest.approx(four.witness)
    # One bend: brute force over 981 places of the hinge gives 0.2765 on this grid of x.
    assert four.reached[1] == pytest.approx(0.276, abs=0.001)
    two = capacity(recipe((2,)), x, y)
    assert two is not None
    assert two.lower_bound == pytest.approx(0.0105, abs=1e-4)


def test_absolute_value_needs_two_units():
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.abs(x)
    one, two = capacity(recipe((1,)), x, y), capacity(recipe((2,)), x, y)
    assert one is not None
    assert two is not None
    assert two.witness < 1e-12
    # A single ReLU is flat on one side: the bound for any two pieces says 0, the witness does not.
    assert one.lower_bound < 1e-12 < 0.5 < one.witness


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (recipe(()), "no hidden layer"),
        (recipe((4,), "tanh"), "smooth"),
        (recipe((4,), output="sigmoid"), "output"),
        (recipe((4,), inputs=2), "two inputs"),
    ],
)
def test_none_where_no_bound_is_known(changed, why):
    x = np.random.default_rng(0).uniform(size=(50, changed.inputs))
    assert capacity(changed, x, x[:, :1] ** 2) is None, why


def test_none_for_a_constant_target():
    x, _y = sine(50)
    assert capacity(recipe(), x, np.ones((50, 1))) is None


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from(["relu", "leaky_relu"]))
@settings(max_examples=25, deadline=None)
def test_no_training_beats_the_bound(seed: int, units: int, activation: str):
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(-2, 2, 60))[:, None]
    y = np.sin(random.uniform(1, 5) * x) + 0.2 * random.normal(size=x.shape)
    one = recipe((units,), activation, kernel=HE, epochs=40, rate=0.02)
    bounds = capacity(one, x, y)
    assert bounds is not None
    assert bounds.lower_bound <= bounds.witness + 1e-9
    trained = train(one, x, y, draw(one, seed, 0, 16))
    assert np.all(trained.mean_squared_error / y.var() >= bounds.lower_bound - 1e-6)


@given(st.floats(0.01, 1000), st.floats(-1000, 1000), st.floats(0.01, 1e4))
@settings(max_examples=20, deadline=None)
def test_units_of_x_and_y_do_not_matter(stretch: float, shift: float, height: float):
    x, y = sine(80)
    plain = capacity(recipe((3,)), x, y)
    scaled = capacity(recipe((3,)), shift + stretch * x, height * y)
    assert plain is not None
    assert scaled is not None
    assert scaled.lower_bound == pytest.approx(plain.lower_bound, rel=1e-4)
    assert scaled.witness == pytest.approx(plain.witness, rel=0.02)
