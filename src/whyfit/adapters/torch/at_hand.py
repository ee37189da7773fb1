"""Samples and numbers that the script holds where it computes a loss or puts weights back."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from whyfit.adapters.places import is_the_persons
from whyfit.adapters.torch.chain import to_numpy
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array

MOST_FRAMES, MOST_PAIRS, MOST_NUMBERS = 4, 400, 1_000_000
"""Functions of the script on the way to the call, pairs of arrays that are tried, and numbers in one."""

AGREEMENT = 1e-3
"""Relative difference allowed between a loss of the script's and the same computed again: float32 loses
up to some 1e-4 where the errors are a thousandth of the targets."""


def pairs(arrays: Sequence[Array], shape: tuple[int, int]) -> Iterator[HeldOut]:
    """Arrays that can be inputs and targets of a network of `shape` inputs and outputs."""
    tried = 0
    for x in arrays:
        for y in arrays:
            if x is y or x.size % shape[0] or y.size % shape[1]:
                continue
            inputs, targets = x.reshape(-1, shape[0]), y.reshape(-1, shape[1])
            if len(inputs) == len(targets) and tried < MOST_PAIRS:
                tried += 1
                yield HeldOut(inputs, targets)


def arrays_at_hand() -> list[Array]:
    """Tensors and arrays in the person's functions on the way here, and in the objects they hold."""
    found: dict[int, Array] = {}
    for value in _values_at_hand():
        _collect(value, found, depth=2)
    return list(found.values())


def numbers_at_hand() -> list[float]:
    """Finite floats in the person's functions on the way here."""
    found = []
    for value in _values_at_hand():
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            value = value.item()
        if isinstance(value, float) and math.isfinite(value):
            found.append(value)
    return found


def _values_at_hand() -> Iterator[Any]:
    frame: FrameType | None = sys._getframe(1)
    frames = 0
    while frame is not None and frames < MOST_FRAMES:
        if is_the_persons(frame.f_code.co_filename):
            frames += 1
            yield from list(frame.f_locals.values())
        frame = frame.f_back


def _collect(value: Any, found: dict[int, Array], depth: int) -> None:
    if id(value) in found:
        return
    if hasattr(value, "detach") and hasattr(value, "dim"):
        if value.dim() in (1, 2) and 1 < value.numel() <= MOST_NUMBERS and not value.requires_grad:
            found[id(value)] = to_numpy(value)
    elif isinstance(value, np.ndarray):
        if value.ndim in (1, 2) and 1 < value.size <= MOST_NUMBERS and value.dtype.kind == "f":
            found[id(value)] = np.asarray(value, dtype=np.float64)
    elif depth and isinstance(value, (list, tuple)) and len(value) <= 8:
        for each in value:
            _collect(each, found, depth - 1)
    elif depth and (held := getattr(value, "__dict__", None)) and _holds_data(value):
        for each in list(held.values()):
            _collect(each, found, depth)


def _holds_data(value: Any) -> bool:
    """A loader, a data set, or an object of the person's own that is no network."""
    module = sys.modules.get(type(value).__module__)
    if type(value).__module__.startswith("torch.utils.data"):
        return True
    own = getattr(module, "__file__", None)
    return own is not None and is_the_persons(own) and not hasattr(value, "parameters")
