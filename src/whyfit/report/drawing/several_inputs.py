"""Figures of a fit of several inputs: predicted against true, residuals, slices."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from whyfit.report.drawing.canvas import FIT, MUTED, RESIDUAL, TARGET, floats, svg
from whyfit.report.panels.fit import FitPanel


def agreement(name: str, panel: FitPanel) -> str:
    """Predicted against true."""
    several = panel.inputs
    if several is None:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        target, fit = floats(several.target), floats(several.fit)
        axes.plot(target, fit, color=FIT, ls="", marker=".", ms=4, alpha=0.7)
        ends = [float(np.nanmin(target)), float(np.nanmax(target))]
        axes.plot(ends, ends, color=TARGET, lw=1.2)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")

    return svg(name, draw, 3.2)


def by_input(name: str, panel: FitPanel) -> str:
    """The residual by each input."""
    several = panel.inputs
    if several is None or not several.columns:
        return ""

    def draw(figure: Figure) -> None:
        grid = _grid(figure, len(several.columns))
        for axes, column in zip(grid, several.columns, strict=False):
            values, left = floats(column.values), floats(several.residual)
            axes.plot(values, left, color=RESIDUAL, ls="", marker=".", ms=3, alpha=0.7)
            axes.axhline(0.0, color=MUTED, lw=0.8)
            axes.set_xlabel(f"input {column.column}")

    return svg(name, draw, 2.1 * _rows(len(several.columns)))


def slices(name: str, panel: FitPanel) -> str:
    """The fit along each input, the others at their medians."""
    several = panel.inputs
    if several is None or not any(column.slice_fit for column in several.columns):
        return ""

    def draw(figure: Figure) -> None:
        grid = _grid(figure, len(several.columns))
        for axes, column in zip(grid, several.columns, strict=False):
            axes.plot(floats(column.slice_x), floats(column.slice_fit), color=FIT, lw=1.8, ls="--")
            axes.set_xlabel(f"input {column.column}")

    return svg(name, draw, 2.1 * _rows(len(several.columns)))


def _rows(count: int) -> int:
    return -(-count // 2)


def _grid(figure: Figure, count: int) -> list[Axes]:
    axes = figure.subplots(_rows(count), min(2, count), sharey=True, squeeze=False)
    axes = list(axes.ravel())
    for each in axes[count:]:
        each.set_visible(False)
    return axes
