"""Loss functions that a script writes itself, told by what they give on a few random batches."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from whyfit.records.network import Array

KNOWN: dict[str, Callable[[Array], float]] = {
    "mse": lambda error: float(np.mean(error**2)),
    "rmse": lambda error: float(np.sqrt(np.mean(error**2))),
    "mae": lambda error: float(np.mean(np.abs(error))),
    "log_cosh": lambda error: float(np.mean(np.logaddexp(error, -error) - np.log(2.0))),
}
"""Of prediction - target: what a batch's loss may be, up to a factor."""

BATCHES = ((5, 0.03), (8, 1.0), (9, 1.0), (6, 30.0))
"""Samples and size of the errors: what bends at some size, as Huber's loss does, is told apart."""

AGREEMENT = 1e-4
"""Relative difference allowed: float32 and a small constant under a root lose less."""

DRAWING = ("rand", "normal", "uniform", "dropout", "shuffle", "choice", "sample")
"""Parts of names by which a function may draw random numbers: asking it would change the training."""


def known_as(loss: Any, outputs: int) -> tuple[str, float] | None:
    """The known loss that a function, or a `Loss` with a `call` of its own, computes, and its factor."""
    function = getattr(loss, "call", loss)
    if not callable(function) or _may_draw(function):
        return None
    random = np.random.default_rng(0)  # of our own: the script's draws stay as they are
    values, errors = [], []
    for samples, size in BATCHES:
        target = random.uniform(-1.0, 1.0, (samples, outputs)).astype(np.float32)
        predicted = target + np.float32(size) * random.normal(size=(samples, outputs))
        predicted = predicted.astype(np.float32)
        value = _value(function, target, predicted)
        if value is None:
            return None
        values.append(value)
        errors.append(predicted.astype(np.float64) - target)
    for name, known in KNOWN.items():
        factors = np.array(values) / np.array([known(error) for error in errors])
        middle = float(np.median(factors))
        if middle > 0.0 and np.allclose(factors, middle, rtol=AGREEMENT, atol=0.0):
            return name, float(f"{middle:.5g}")
    return None


def _may_draw(function: Any) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return True
    return any(part in name for name in code.co_names for part in DRAWING)


def _value(function: Callable[..., Any], target: Array, predicted: Array) -> float | None:
    """The mean of what the function gives, as Keras takes it; None where it fails."""
    import keras

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            given: Any = function(
                keras.ops.convert_to_tensor(target), keras.ops.convert_to_tensor(predicted)
            )
            numbers: Any = keras.ops.convert_to_numpy(given)
        value = float(np.mean(numbers))
    except Exception:  # the person's function, on data it may not be made for
        return None
    return value if np.isfinite(value) else None
