"""Figures of the fit itself: the curve beside others, its parts, and its units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from whyfit.report.drawing.canvas import (
    DASHES,
    FIT,
    FIXED,
    MOST_NAMED,
    MUTED,
    RESIDUAL,
    TARGET,
    UNIT,
    floats,
    svg,
)
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.values import Number


def is_scattered(target: Sequence[Number]) -> bool:
    """Whether the target jumps about so much that a line through it would hide it."""
    values = floats(target)
    if len(values) < 8 or np.ptp(values) == 0.0:
        return len(values) < 60
    return bool(np.mean(np.abs(np.diff(values, 2))) > 0.08 * np.ptp(values))


def _target(axes: Axes, panel: FitPanel) -> None:
    assert panel.curve is not None
    x, y = floats(panel.curve.x), floats(panel.curve.target)
    if is_scattered(panel.curve.target):
        axes.plot(x, y, ls="", marker=".", ms=3, color=TARGET, gid="w-line-target")
    else:
        axes.plot(x, y, color=TARGET, lw=1.8, gid="w-line-target")


def _limited(axes: Axes, panel: FitPanel, *others: Sequence[Number]) -> None:
    """Room for the target, and for the fit as far as it stays near."""
    assert panel.curve is not None
    target = floats(panel.curve.target)
    low, high = np.nanmin(target), np.nanmax(target)
    room = high - low or 1.0
    values = np.concatenate([target, *(floats(each) for each in others)])
    values = values[np.isfinite(values)]
    values = values[(values > low - 1.5 * room) & (values < high + 1.5 * room)]
    pad = 0.06 * (values.max() - values.min() or 1.0)
    axes.set_ylim(float(values.min() - pad), float(values.max() + pad))


def fit_and_residual(name: str, panel: FitPanel) -> str:
    """Target and fit above, the residual below, hinges ticked on the axis."""
    curve = panel.curve
    if curve is None or curve.inputs != 1 or not curve.x:
        return ""
    x = floats(curve.x)

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _target(top, panel)
        top.plot(x, floats(curve.fit), color=FIT, lw=2, ls="--", gid="w-line-fit")
        for hinge in curve.hinges:
            if hinge is not None:
                top.axvline(hinge, ymax=0.05, color=FIT, lw=1.5)
        _limited(top, panel, curve.fit)
        dotted = {"ls": "", "marker": ".", "ms": 2} if is_scattered(curve.target) else {"lw": 1.4}
        bottom.plot(x, floats(curve.residual), color=RESIDUAL, **dotted)
        bottom.axhline(0.0, color=MUTED, lw=0.8)
        bottom.yaxis.set_major_locator(MaxNLocator(2))
        bottom.set_xlabel("x")

    return svg(name, draw, 3.7, follow=True)


def overlay(name: str, panel: FitPanel, other: Sequence[Number]) -> str:
    """Target, fit and one other curve: the witness, or the mended fit."""
    curve = panel.curve
    if curve is None or curve.inputs != 1 or not other:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _target(axes, panel)
        axes.plot(floats(curve.x), floats(curve.fit), color=FIT, lw=1.8, ls="--")
        axes.plot(floats(curve.x), floats(other), color=FIXED, lw=2, ls="-.")
        _limited(axes, panel, curve.fit, other)
        axes.set_xlabel("x")

    return svg(name, draw, 2.7)


def parts(name: str, panel: FitPanel) -> str:
    """What each unit adds, and their sum."""
    added, curve = panel.contributions, panel.curve
    if added is None or curve is None:
        return ""
    off = dead_units(panel)
    x = floats(curve.x)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for at, values in enumerate(added.curves):
            dead = at + 1 in off
            line = floats(values)
            axes.plot(
                x,
                line,
                color=MUTED if dead else UNIT,
                ls=":" if dead else DASHES[at % len(DASHES)],
                lw=1.5,
                gid=f"w-unit-{at + 1}",
            )
            if len(added.curves) <= MOST_NAMED:
                where = int((0.25 + 0.5 * at / max(1, len(added.curves) - 1)) * (len(x) - 1))
                axes.annotate(
                    str(at + 1),
                    (x[where], line[where]),
                    xytext=(0, 3),
                    textcoords="offset points",
                    color=MUTED if dead else UNIT,
                    ha="center",
                )
        total = np.sum([floats(each) for each in added.curves], axis=0) + added.bias
        axes.plot(x, total, color=FIT, lw=2.2, ls="--")
        axes.set_xlabel("x")

    return svg(name, draw, 2.9)


def dead_units(panel: FitPanel) -> set[int]:
    """Units of the last hidden layer that are off everywhere at the end."""
    layer = panel.contributions.layer if panel.contributions else 1
    return {unit.unit for unit in panel.units if unit.layer == layer and unit.state_at_end == "off"}


def unit_rows(name: str, panel: FitPanel) -> str:
    """A row for each unit: where on x it is on, and where it bends."""
    shown = [unit for unit in panel.units if unit.state_at_end != "smooth"][:24]
    curve = panel.curve
    if not shown or curve is None or not any(unit.on_where for unit in shown):
        return ""
    x = floats(curve.x)
    low, high = float(x[0]), float(x[-1])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, unit in enumerate(shown):
            if unit.state_at_end == "off":
                axes.plot([low, high], [row, row], color=MUTED, ls=":", lw=1.5)
                axes.plot([(low + high) / 2], [row], color=MUTED, marker="x", ms=7, ls="")
            for first, last in unit.on_where:
                if first is not None and last is not None:
                    axes.plot([first, last], [row, row], color=UNIT, lw=5, solid_capstyle="butt")
            bend = unit.hinge_at_end
            if bend is not None and low <= bend <= high:
                axes.plot([bend], [row], color=FIT, marker="o", ms=6, ls="", clip_on=False)
        axes.set_yticks(range(len(shown)), [f"{unit.layer}.{unit.unit}" for unit in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        pad = 0.02 * (high - low or 1.0)
        axes.set_xlim(low - pad, high + pad)
        axes.set_xlabel("x")

    return svg(name, draw, 0.75 + 0.27 * len(shown))
