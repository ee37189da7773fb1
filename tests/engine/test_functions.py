"""Elementary functions in lanes: at most 4 units in the last place from numpy, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from whyfit.engine import _lanes
from whyfit.engine.lanes import TARGETS

FUNCTIONS = {
    "exponential": np.exp,
    "hyperbolic_tangent": np.tanh,
    "logistic": special.expit,
    "error_function": special.erf,
    "logarithm": np.log,
    "soft_plus": lambda z: np.logaddexp(0.0, z),
}
SMALLEST = 2.4e-38
"""Below twice the smallest normal float results are flushed to zero or held there.

XLA flushes below that float; tanh by table is put together from its half.
"""


def evaluate(target: str, name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    run = _lanes.evaluate_float32 if x.dtype == np.float32 else _lanes.evaluate_float64
    run(target, _lanes.Function[name], x, out)
    return out


def whole_range() -> np.ndarray:
    """A million floats of every size and sign, close together where the functions bend."""
    bits = np.random.default_rng(0).integers(0, 2**32, 400_000, dtype=np.uint32)
    everywhere = bits.view(np.float32)
    bends = [np.linspace(-most, most, 200_001) for most in (1.0, 10.0, 110.0)]
    x = np.concatenate([everywhere, *(each.astype(np.float32) for each in bends)])
    return x[np.isfinite(x) & ((np.abs(x) >= np.finfo(np.float32).tiny) | (x == 0))]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_four_units_in_the_last_place(name: str, target: str):
    x = whole_range()
    x = x[x > 0] if name == "logarithm" else x
    with np.errstate(over="ignore", under="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        rounded = exact.astype(np.float32)
        finite = np.where(np.isfinite(rounded), rounded, np.float32(1))
        unit = np.spacing(np.abs(finite)).astype(np.float64)
    found = evaluate(target, name, np.ascontiguousarray(x))
    tiny = np.abs(exact) < SMALLEST
    assert np.all(np.abs(found[tiny]) < SMALLEST)
    same = tiny | (found == rounded)
    apart = np.abs(found[~same].astype(np.float64) - exact[~same]) / unit[~same]
    assert np.max(apart, initial=0.0) <= 4.0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["tangent_of_unit", "logistic_of_unit"])
def test_sums_whose_weights_are_scaled(name: str, target: str):
    """Beside the 4 units what two roundings of the sum, its own and that of its scale, make of it: at
    most twice the sum times the derivative of ln f."""
    x = whole_range()
    x = np.ascontiguousarray(x[(np.abs(x) < 86.0) & (np.abs(x) > 1e-30)])
    function, growth = {
        "tangent_of_unit": (np.tanh, lambda z: 2 * z / np.sinh(2 * z)),
        "logistic_of_unit": (special.expit, lambda z: z * special.expit(-z)),
    }[name]
    exact = function(x.astype(np.float64))
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    apart = np.abs(evaluate(target, name, x).astype(np.float64) - exact) / unit
    assert np.max(apart / (4.0 + 2.0 * np.abs(growth(x.astype(np.float64))))) <= 1.0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["sine", "cosine"])
def test_sine_and_cosine(name: str, target: str):
    """Near their zeros they are right to the unit of 1, not of the result."""
    x = whole_range()
    x = np.ascontiguousarray(x[np.abs(x) < 1e6])
    exact = {"sine": np.sin, "cosine": np.cos}[name](x.astype(np.float64))
    assert np.max(np.abs(evaluate(target, name, x) - exact)) <= 2e-7


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [*FUNCTIONS, "sine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_are_none(name: str, target: str, dtype: type):
    """NaN stays NaN and leaves its neighbours alone; infinity is met without a trap."""
    x = np.array([0.5, np.nan, np.inf, 1.5, -np.inf, 2.5] * 3, dtype=dtype)
    with np.errstate(all="raise"):
        found = evaluate(target, name, x)
    assert np.isnan(found[1::6]).all()
    alone = evaluate(target, name, np.array([0.5], dtype=dtype))
    assert np.all(found[::6] == alone)
    if name != "sine":
        with np.errstate(invalid="ignore"):
            limits = FUNCTIONS[name](np.array([np.inf, -np.inf]))
        assert found[[2, 4]] == pytest.approx(limits, abs=SMALLEST, nan_ok=True)
