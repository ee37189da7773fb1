"""Figures of what could be reached: by any network of the size, and by changes of the script."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from whyfit.report.drawing.canvas import FIT, FIXED, MUTED, TARGET, floats, svg
from whyfit.report.panels.fit import FitPanel


def capacity(name: str, panel: FitPanel) -> str:
    """Bends against the least error possible, with the person's own fit as a line."""
    bounds = panel.capacity
    if bounds is None or panel.unexplained_variance is None or not bounds.reached:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        bends = np.arange(len(bounds.reached))
        reached = np.maximum(floats(bounds.reached), 1e-9)
        axes.plot(bends, reached, color=FIXED, marker="o", lw=1.6, ls="-.")
        floors = np.maximum(floats(bounds.floors), 1e-9)
        axes.plot(np.arange(len(floors)), floors, color=MUTED, marker="v", ls=":", lw=1.2)
        own = panel.unexplained_variance or 1e-9
        axes.axhline(own, color=FIT, ls="--", lw=1.8)
        axes.axhline(panel.criterion.tolerance, color=TARGET, lw=0.8)
        axes.set_yscale("log")
        axes.set_xticks(bends[:: max(1, len(bends) // 8)])
        axes.set_xlabel("bends")

    return svg(name, draw, 2.5)


def front(name: str, panel: FitPanel) -> str:
    """Success by number of changes: every judged arm, and the best of each number."""
    if len(panel.front) < 2:
        return ""
    random = np.random.default_rng(0)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        judged = [arm for arm in panel.arms if arm.phase == "confirmation"]
        sizes = np.array([len(arm.changes) for arm in judged], dtype=np.float64)
        rates = np.array([arm.success_rate for arm in judged])
        spread = random.uniform(-0.12, 0.12, len(judged)) * (sizes > 0)
        axes.plot(sizes + spread, 100 * rates, color=MUTED, ls="", marker=".", ms=4)
        best = [panel.arms[each.arm] for each in panel.front]
        axes.plot(
            [each.changes for each in panel.front],
            [100 * arm.success_rate for arm in best],
            color=FIXED,
            marker="o",
            lw=1.8,
            ls="-.",
        )
        axes.axhline(100 * panel.criterion.target_rate, color=TARGET, lw=0.8)
        axes.set_xticks(range(int(sizes.max()) + 1))
        axes.set_ylim(-4, 104)
        axes.set_xlabel("changes")
        axes.set_ylabel("success, %")

    return svg(name, draw, 2.5)
