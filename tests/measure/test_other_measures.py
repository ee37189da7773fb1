"""Activity, data and training measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, fit_of, recipe, sine
from whyfit.measure.activity import deaths, few_samples, live_units, start_measures, unit_activity
from whyfit.measure.data import best_line, noise_floor
from whyfit.measure.evidence import gather
from whyfit.measure.residuals import curve_rows
from whyfit.measure.training import training_measures
from whyfit.records.fit import WeightHistory
from whyfit.records.network import Activation, Layer, Network
from whyfit.records.recipe import DenseLayer


def two_units(signs: tuple[float, float], bias: float = 0.0) -> Network:
    return Network(
        (
            Layer(np.array([signs]), np.full(2, bias), Activation("relu")),
            Layer(np.ones((2, 1)), None, Activation("linear")),
        )
    )


def test_a_unit_of_the_wrong_sign_is_off():
    x = np.linspace(0, 1, 11)[:, None]
    on, off = unit_activity(two_units((1.0, -1.0)), x)
    assert (on.state, off.state) == ("bent", "off")
    assert on.on == pytest.approx(10 / 11)
    assert [unit.state for unit in unit_activity(two_units((1.0, 1.0), 1.0), x)] == ["on", "on"]


def test_every_sample_counts_not_the_first_batch():
    x = np.concatenate([np.zeros(1000), [5.0]])[:, None]
    one = unit_activity(two_units((1.0, 1.0), -4.0), x)[0]
    assert one.state == "bent"
    assert one.on == pytest.approx(1 / 1001)


def test_saturation():
    x = np.linspace(-100, 100, 201)[:, None]
    network = Network(
        (
            Layer(np.ones((1, 1)), None, Activation("tanh")),
            Layer(np.ones((1, 1)), None, Activation("linear")),
        )
    )
    # |tanh| > 0.99 from |x| > 2.65 on: 196 of the 201 whole numbers.
    assert unit_activity(network, x)[0].saturated == pytest.approx(196 / 201)
    assert unit_activity(network, x)[0].state == "smooth"


def test_epoch_of_death():
    one = recipe((2,))
    x = np.linspace(0, 1, 5)[:, None]
    alive, dead = np.array([1.0, 1, 0, 0, 1, 1, 0]), np.array([1.0, -1, 0, 0, 1, 1, 0])
    history = WeightHistory(np.array([0, 1, 2, 3, 4]), np.array([alive, dead, alive, dead, dead]))
    assert deaths(one, history, x) == ((1, 2, 3),)


def test_live_units_and_few_samples():
    x, _y = sine(5000)
    few = few_samples(x, 64)
    assert len(few) <= 66
    assert few.min() == x.min()
    assert few.max() == x.max()
    one = recipe((2,))
    rows = np.array([[1.0, -1, 0, 0, 1, 1, 0], [-1.0, -1, 0, 0, 1, 1, 0]])
    assert live_units(rows, one, few).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "prelu"])
def test_live_units_of_many_networks_at_once(activation: str):
    hidden = (
        DenseLayer(5, Activation(activation)),
        DenseLayer(3, Activation("relu"), use_bias=False),
    )
    deep = replace(recipe((2,)), inputs=2, layers=(*hidden, DenseLayer(1)))
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (40, 2))
    rows = random.normal(-0.3, 1, (30, deep.parameters))
    one_by_one = [
        sum(
            int(np.sum(np.any(z > 0, axis=0))) if layer.activation.dies else layer.units
            for (z, _output), layer in zip(network.traced(x)[:-1], hidden, strict=True)
        )
        for network in map(deep.network, rows)
    ]
    assert len(set(one_by_one)) > 1
    assert live_units(rows, deep, x).tolist() == one_by_one


def test_start_weights_beside_the_customary():
    start = start_measures(recipe((4,)))
    # Glorot for a 1-4 layer, sqrt(2 / 5), is less than He's sqrt(2 / 1).
    assert start.drawn[0] / start.customary[0] == pytest.approx(0.05 / np.sqrt(3) / np.sqrt(0.4))
    assert start_measures(recipe((4,), kernel=HE)).drawn[0] == pytest.approx(np.sqrt(2.0))


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_noise_floor_in_one_dimension(noise: float):
    random = np.random.default_rng(0)
    x = random.uniform(0, 1, 3000)[:, None]
    y = np.sin(6 * x) + noise * random.normal(size=x.shape)
    assert noise_floor(x, y) == pytest.approx(noise**2 / y.var(), abs=0.01, rel=0.1)


def test_a_coarse_curve_is_not_noise():
    x = np.linspace(0, 1, 40)[:, None]
    assert noise_floor(x, np.sin(20 * x)) < 0.01


def test_pure_noise():
    random = np.random.default_rng(0)
    x = np.linspace(0, 1, 500)[:, None]
    assert noise_floor(x, random.normal(size=x.shape)) == pytest.approx(1.0, abs=0.15)


def test_best_line():
    x = np.linspace(-3, 5, 50)[:, None]
    assert best_line(x, 4 - 2 * x) == pytest.approx(0.0, abs=1e-12)
    assert best_line(np.linspace(-1, 1, 51)[:, None], np.linspace(-1, 1, 51)[:, None] ** 2) == (
        pytest.approx(1.0)
    )
    assert np.isnan(best_line(x, np.ones_like(x)))


def test_training_measures():
    falling = training_measures(list(np.exp(-np.arange(100) / 30)), 100, 32)
    assert falling.last_fall == pytest.approx(1 - np.exp(-10 / 30))
    assert falling.steps == 400
    jumping = training_measures([1.0, 2.0] * 20, 10, 10)
    assert jumping.rises == pytest.approx(0.5, abs=0.05)
    blown = training_measures([1.0, 5.0, float("inf"), float("nan")], 10, 10)
    assert blown.first_nonfinite == 3
    assert training_measures([], 10, 10).epochs == 0


def test_curve_rows_keep_spikes_and_order():
    x, y = sine(5000)
    y = y.copy()
    y[1234] = 9.0
    evidence = gather(fit_of(recipe(epochs=2), x, y))
    rows = curve_rows(evidence)
    assert len(rows) <= 700
    assert 1234 in rows
    assert np.all(np.diff(x[rows, 0]) >= 0)
