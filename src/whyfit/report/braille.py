"""A small plot of target and fit in braille characters, or in ASCII where there are none."""

from __future__ import annotations

import numpy as np

from whyfit.records.network import Array
from whyfit.report.panels.curve import CurvePanel
from whyfit.report.panels.values import Series

# Dot numbers of a braille cell by (row, column); U+2800 is the empty cell (Unicode 15, chapter 21).
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def plot(curve: CurvePanel, *, width: int, height: int, plain: bool = False) -> list[str]:
    """Lines of text: the target dotted, the fit solid, over the range of x."""
    x = _floats(curve.x)
    target = _floats(curve.target)
    fit = _floats(curve.fit)
    if len(x) < 2 or curve.inputs != 1 or not np.any(np.isfinite(fit)):
        return []
    low = float(np.nanmin([np.min(target), np.nanmin(fit)]))
    high = float(np.nanmax([np.max(target), np.nanmax(fit)]))
    low = max(low, float(np.nanmin(target) - np.ptp(target)))
    high = min(high, float(np.nanmax(target) + np.ptp(target)))
    if not high > low or x[-1] == x[0]:
        return []
    columns, rows = (width, height) if plain else (2 * width, 4 * height)
    places = np.linspace(x[0], x[-1], columns)

    def rows_of(values: Array) -> Array:
        at = np.interp(places, x, values)
        return np.round((high - at) / (high - low) * (rows - 1))

    dotted, solid = rows_of(target), rows_of(fit)
    if plain:
        return _ascii(dotted, solid, width, height)
    grid = np.zeros((height, width), dtype=np.int64)
    for values, step in ((dotted, 3), (solid, 1)):
        for column in range(0, columns, step):
            row = values[column]
            if np.isfinite(row) and 0 <= row < rows:
                cell_row, dot_row = divmod(int(row), 4)
                cell, dot = divmod(column, 2)
                grid[cell_row, cell] |= DOTS[dot_row][dot]
    return ["".join(chr(0x2800 + cell) for cell in line).rstrip("\u2800") for line in grid]


def _ascii(dotted: Array, solid: Array, width: int, height: int) -> list[str]:
    lines = [[" "] * width for _row in range(height)]
    for values, mark in ((dotted, "."), (solid, "*")):
        for column, row in enumerate(values):
            if np.isfinite(row) and 0 <= row < height:
                lines[int(row)][column] = mark
    return ["".join(line).rstrip() for line in lines]


def _floats(values: Series) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
