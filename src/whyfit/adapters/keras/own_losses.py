"""Loss functions that a script writes itself, told by what they give on a few batches."""

from __future__ import annotations

import contextlib
import dis
import io
from collections.abc import Callable
from types import CodeType, FunctionType
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
"""Samples, and size of the errors in deviations of the targets: what bends at some size, as Huber's
loss does, is told apart."""

AGREEMENT = 1e-4
"""Relative difference allowed: float32 and a small constant under a root lose less."""

DRAWING = ("rand", "normal", "uniform", "dropout", "shuffle", "choice", "sample", "seed")
CHANGING = ("assign", "append", "update", "stop_gradient", "next")
"""Parts of names by which a function may draw random numbers, change something, or have another slope
than its values say: such a function is not asked, since asking would change the training, or tell
too little."""

STORING = ("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR", "DELETE_GLOBAL", "IMPORT_NAME")
LIBRARIES = ("keras", "tensorflow", "jax", "numpy", "torch", "math")


def known_as(loss: Any, targets: Array, flat: bool) -> tuple[str, float] | None:
    """The known loss that a function, or a `Loss` with a `call` of its own, computes, and its factor.

    It is asked about batches of these targets, (samples, outputs), the extremes among them. A `Loss`
    gets them as the script gave them: `flat` says as (samples,).
    """
    function = getattr(loss, "call", loss)
    if not callable(function) or len(targets) < 2 or not _only_computes(function, set()):
        return None
    random = np.random.default_rng(0)  # of our own: the script's draws stay as they are
    spread = float(np.std(targets)) or 1.0
    ends = np.concatenate([np.argmin(targets, axis=0), np.argmax(targets, axis=0)])
    values, errors = [], []
    for samples, size in BATCHES:
        rows = np.concatenate([ends, random.integers(0, len(targets), samples)])
        target = targets[rows].astype(np.float32)
        away = size * spread * random.normal(size=target.shape)
        predicted = (target + away).astype(np.float32)
        given = target[:, 0] if flat and function is not loss else target
        value = _value(function, given, predicted)
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


def _only_computes(function: Any, seen: set[int]) -> bool:
    """Whether a function, and those of the script that it may call, draw nothing and store nothing."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None or id(code) in seen:
        return code is not None
    seen.add(id(code))
    if not _code_only_computes(code):
        return False
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    used = [function.__globals__.get(name) for name in _names(code)]
    own = [
        each
        for each in (*cells, *used)
        if isinstance(each, FunctionType) and not (each.__module__ or "").startswith(LIBRARIES)
    ]
    return all(_only_computes(each, seen) for each in own)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _parts(code: CodeType) -> list[CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [code, *(part for each in inner for part in _parts(each))]


def _names(code: CodeType) -> set[str]:
    return {name for part in _parts(code) for name in part.co_names}


def _code_only_computes(code: CodeType) -> bool:
    if any(part in name for name in _names(code) for part in (*DRAWING, *CHANGING)):
        return False
    return not any(
        instruction.opname in STORING
        for part in _parts(code)
        for instruction in dis.get_instructions(part)
    )


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
