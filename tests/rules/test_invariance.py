"""What must not change a finding: order of units and samples, a unit's scale in and out, an offset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fits import HE, UNIFORM, ZEROS, fit_of, recipe
from whyfit import rules
from whyfit.measure.capacity import capacity
from whyfit.measure.evidence import gather
from whyfit.records.fit import Fit, WeightHistory
from whyfit.records.network import Array, Network
from whyfit.records.recipe import Initializer, flatten

FEW = settings(max_examples=6, deadline=None)

SPREAD = Initializer("random_uniform", -1.0, 1.0)


def some_fit(seed: int, activation: str = "relu", samples: int = 120) -> Fit:
    """A fit that misses its tolerance, for one reason or another."""
    random = np.random.default_rng(seed)
    low, high = ((0.0, 1.0), (-1.0, 1.0), (3.0, 5.0))[seed % 3]
    x = random.uniform(low, high, (samples, 1))
    y = np.sin((2.0 + seed % 5) * np.pi * (x - low) / (high - low))
    kernel = (HE, UNIFORM)[seed % 2]
    bias = (ZEROS, SPREAD)[seed % 2]
    rate = (1e-3, 3e-2)[(seed // 2) % 2]
    one = recipe((6,), activation, kernel=kernel, bias=bias, rate=rate, epochs=20)
    return fit_of(one, x, y, seed)


def said(fit: Fit) -> dict[str, tuple[float, ...]]:
    """Each rule that speaks, with its numbers."""
    found = rules.findings(gather(fit))
    return {each.rule: tuple(measure.value for measure in each.measures) for each in found}


def with_networks(fit: Fit, change) -> Fit:
    """The fit with every network of its training changed in the same way, and its predictions."""

    def row(weights: Array) -> Array:
        return flatten(change(fit.recipe.network(weights)))

    history = WeightHistory(
        fit.weight_history.epochs, np.array([row(each) for each in fit.weight_history.weights])
    )
    start, end = (fit.recipe.network(history.weights[at]) for at in (0, -1))
    return replace(fit, start=start, end=end, weight_history=history, predictions=end(fit.x))


def same(one: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]]) -> None:
    assert set(one) == set(other)
    for rule, numbers in one.items():
        assert numbers == pytest.approx(other[rule], rel=1e-3, abs=1e-6, nan_ok=True), rule


@FEW
@given(st.integers(0, 60), st.sampled_from(["relu", "tanh"]))
def test_order_of_hidden_units(seed: int, activation: str):
    fit = some_fit(seed, activation)
    order = np.random.default_rng(seed).permutation(6)

    def reordered(network: Network) -> Network:
        first, last = network.layers
        return Network(
            (
                replace(first, weight=first.weight[:, order], bias=first.bias[order]),
                replace(last, weight=last.weight[order]),
            )
        )

    changed = with_networks(fit, reordered)
    assert np.allclose(changed.predictions, fit.predictions)
    same(said(fit), said(changed))


@FEW
@given(st.integers(0, 60), st.floats(0.3, 3.0))
def test_scaling_a_relu_unit_in_and_out(seed: int, factor: float):
    """w, b times c and the output weight by 1 / c is the same function; the size of the gradients and
    the curvature do change with it, and with them only the numbers of rules about steps."""
    fit = some_fit(seed)
    scales = np.ones(6)
    scales[seed % 6] = factor

    def scaled(network: Network) -> Network:
        first, last = network.layers
        return Network(
            (
                replace(first, weight=first.weight * scales, bias=first.bias * scales),
                replace(last, weight=last.weight / scales[:, None]),
            )
        )

    changed = with_networks(fit, scaled)
    assert np.allclose(changed.predictions, fit.predictions)
    before, after = said(fit), said(changed)
    for numbers in (before, after):
        numbers.pop(
            "learning-rate-too-low", None
        )  # its distance depends on the size of the outputs
    same(before, after)


@FEW
@given(st.integers(0, 60), st.sampled_from(["relu", "tanh"]))
def test_order_of_the_samples(seed: int, activation: str):
    fit = some_fit(seed, activation, samples=700)
    order = np.random.default_rng(seed).permutation(len(fit.x))
    changed = replace(fit, x=fit.x[order], y=fit.y[order], predictions=fit.predictions[order])
    same(said(fit), said(changed))


@FEW
@given(st.integers(0, 60), st.floats(-0.5, 0.5))
def test_an_offset_of_the_targets_with_the_bias(seed: int, offset: float):
    fit = some_fit(seed)

    def lifted(network: Network) -> Network:
        first, last = network.layers
        return Network((first, replace(last, bias=last.bias + offset)))

    changed = with_networks(replace(fit, y=fit.y + offset), lifted)
    before, after = said(fit), said(changed)
    for numbers in (before, after):
        numbers.pop("learning-rate-too-low", None)  # the way to the targets is another
    same(before, after)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_no_fit_beats_the_bound(seed: int):
    random = np.random.default_rng(seed)
    x = random.uniform(-1.0, 1.0, (int(random.integers(10, 150)), 1))
    y = np.interp(x, np.linspace(-1.0, 1.0, 9), random.normal(size=9))
    widths = tuple(int(each) for each in random.integers(1, 5, size=random.integers(1, 4)))
    one = recipe(widths, kernel=HE, bias=SPREAD, rate=0.02, epochs=30)
    found = capacity(one, x, y)
    assert found is not None
    assert found.lower_bound <= found.witness + 1e-9
    assert found.lower_bound <= fit_of(one, x, y, seed).unexplained_variance + 1e-9
