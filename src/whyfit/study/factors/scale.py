"""How inputs and targets are scaled: the levels, and the map of the data to each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whyfit.records.network import Array
from whyfit.records.recipe import Affine
from whyfit.study.factors.factor import Factor

RANGE, STANDARDISED = "[-1, 1]", "standardised"


def _current_range(data: Array) -> str:
    if data.shape[1] > 1:
        return "as passed"
    return f"[{data.min():.4g}, {data.max():.4g}]"


def scalings(data: Array) -> tuple[str, ...]:
    """The customary centred scaling, unless the data are centred and of size one already.

    Data that were scaled to a range (all within [-1, 1]) go to the range [-1, 1]; raw data are
    standardised, as people are told to.
    """
    low, high = data.min(axis=0), data.max(axis=0)
    mean, deviation = data.mean(axis=0), data.std(axis=0)
    fills = np.all(np.abs(low + 1.0) < 0.05) and np.all(np.abs(high - 1.0) < 0.05)
    standard = np.all(np.abs(mean) < 0.05) and np.all(np.abs(deviation - 1.0) < 0.05)
    if fills or standard or np.all(deviation == 0.0):
        return ()
    in_range = np.all(low >= -1.001) and np.all(high <= 1.001)
    return (RANGE,) if in_range and np.any(high - low > 0.5) else (STANDARDISED,)


OFFSET_KEPT, SCALE_KEPT = ", offset kept", ", scale kept"


def scaling(data: Array, level: str) -> Affine:
    """The column-wise map of the data to a level; constant columns are only shifted.

    A level may end in ", offset kept" (only the scale is changed) or ", scale kept" (only the offset).
    """
    if level.endswith(OFFSET_KEPT):
        whole = scaling(data, level.removesuffix(OFFSET_KEPT))
        return Affine(tuple(0.0 for _column in whole.offset), whole.scale)
    if level.endswith(SCALE_KEPT):
        whole = scaling(data, level.removesuffix(SCALE_KEPT))
        return Affine(whole.offset, tuple(1.0 for _column in whole.scale))
    if level == RANGE:
        offset = (data.max(axis=0) + data.min(axis=0)) / 2.0
        scale = (data.max(axis=0) - data.min(axis=0)) / 2.0
    else:
        offset, scale = data.mean(axis=0), data.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    return Affine(tuple(map(float, offset)), tuple(map(float, scale)))


INPUT_RANGE = Factor(
    "input_range",
    "input range",
    "Is it how the inputs are scaled?",
    lambda fit, _recipe: _current_range(fit.x),
    lambda fit, _recipe: scalings(fit.x),
    lambda fit, recipe, level: replace(recipe, input_transform=scaling(fit.x, level)),
)

TARGET_RANGE = Factor(
    "target_range",
    "target range",
    "Is it how the targets are scaled?",
    lambda fit, _recipe: _current_range(fit.y),
    lambda fit, _recipe: scalings(fit.y),
    lambda fit, recipe, level: replace(recipe, target_transform=scaling(fit.y, level)),
)
