"""Drawing: panels as SVG text, with matplotlib. The only module that imports it.

Colours are written as CSS variables, so that one file serves light, dark and print; each role has one
colour everywhere: target, your fit, fixed fit, residual, dead unit, band. Text stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from whyfit.report.panels import ArmPanel, FitPanel, Number

# Okabe & Ito's palette, safe for the colour-blind. The first two are placeholders that CSS replaces.
TARGET, MUTED = "#010203", "#7f7f81"
FIT, FIXED, RESIDUAL, BAND = "#d55e00", "#0072b2", "#cc79a7", "#56b4e9"
UNITS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a08a00", "#555557")

VARIABLES = {
    TARGET: "var(--ink)",
    MUTED: "var(--muted)",
    FIT: "var(--fit)",
    FIXED: "var(--fixed)",
    RESIDUAL: "var(--residual)",
    BAND: "var(--band)",
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "whyfit",
    "svg.id": "whyfit",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": TARGET,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": TARGET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TARGET,
    "ytick.labelcolor": TARGET,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "path.simplify": True,
}

WIDTH = 7.2  # inches; the page scales it


def fit_and_residual(panel: FitPanel) -> str:
    """Target, fit and mended fit above, the residual below, hinges ticked."""
    curve = panel.curve
    if curve is None:
        return ""
    x = np.array(curve.x)

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        scattered = _is_scattered(curve.target)
        top.plot(
            x,
            curve.target,
            ls="" if scattered else "-",
            marker="." if scattered else None,
            ms=3,
            color=TARGET,
            lw=1.8,
            label="target",
        )
        if curve.inputs == 1:
            top.plot(x, _floats(curve.fit), color=FIT, lw=2, ls="--", label="your fit")
            if curve.fixed:
                top.plot(
                    x,
                    _floats(curve.fixed),
                    color=FIXED,
                    lw=1.6,
                    ls="-.",
                    label=f"with {_short(curve.fixed_label)}",
                )
        else:
            top.plot(x, _floats(curve.fit), color=FIT, ls="", marker=".", ms=3, label="your fit")
        for hinge in curve.hinges:
            top.axvline(hinge, ymax=0.05, color=FIT, lw=1.5)
        top.legend(loc="best", fontsize=9)
        dotted = scattered or curve.inputs > 1
        marker = {"ls": "", "marker": ".", "ms": 2} if dotted else {"lw": 1.4}
        bottom.plot(x, _floats(curve.residual), color=RESIDUAL, **marker)
        bottom.axhline(0.0, color=MUTED, lw=0.8)
        bottom.set_ylabel("residual")
        bottom.set_xlabel("x" if curve.inputs == 1 else "first input")

    return _svg(draw, 4.3)


def contributions(panel: FitPanel) -> str:
    """What each unit adds, and their sum."""
    parts, curve = panel.contributions, panel.curve
    if parts is None or curve is None:
        return ""
    x = np.array(curve.x)
    states = {unit.unit: unit for unit in panel.units if unit.layer == 1}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for at, (name, values) in enumerate(zip(parts.names, parts.curves, strict=True)):
            off = states.get(at + 1) is not None and states[at + 1].state_at_end == "off"
            axes.plot(
                x,
                values,
                color=MUTED if off else UNITS[at % len(UNITS)],
                ls=":" if off else "-",
                lw=1.6,
                label=f"{name} (off)" if off else name,
            )
        total = np.sum(np.array(parts.curves), axis=0) + parts.bias
        axes.plot(x, total, color=FIT, lw=2.2, ls="--", label="sum and bias: your fit")
        axes.set_xlabel("x")
        axes.legend(loc="best", fontsize=8, ncols=2)

    return _svg(draw, 3.4)


def training(panel: FitPanel) -> str:
    """Loss by epoch, and below it the tracks of the hinges."""
    curve = panel.training
    if not curve.epochs:
        return ""

    def draw(figure: Figure) -> None:
        tracked = bool(curve.tracks)
        axes = figure.subplots(2 if tracked else 1, 1, sharex=True, squeeze=False)[:, 0]
        axes[0].plot(curve.epochs, _floats(curve.loss), color=FIT, lw=1.6)
        if _all_positive(curve.loss):
            axes[0].set_yscale("log")
        axes[0].set_ylabel("loss")
        if tracked:
            for at, track in enumerate(curve.tracks):
                axes[1].plot(
                    curve.track_epochs,
                    _floats(track),
                    color=UNITS[at % len(UNITS)],
                    lw=1.4,
                    label=f"unit {at + 1}",
                )
            if panel.curve is not None:
                low, high = min(panel.curve.x), max(panel.curve.x)
                axes[1].axhspan(low, high, color=BAND, alpha=0.15, lw=0)
                margin = 0.6 * (high - low or 1.0)
                axes[1].set_ylim(low - margin, high + margin)
            axes[1].set_ylabel("hinge at x")
            if len(curve.tracks) <= 8:
                axes[1].legend(loc="best", fontsize=8, ncols=2)
        axes[-1].set_xlabel("epoch")

    return _svg(draw, 3.6 if curve.tracks else 2.2)


def capacity(panel: FitPanel) -> str:
    """Bends against the least error possible, with the person's own fit as a line."""
    bounds = panel.capacity
    if bounds is None or panel.unexplained_variance is None:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        bends = np.arange(len(bounds.reached))
        axes.plot(
            bends,
            np.maximum(bounds.reached, 1e-9),
            color=FIXED,
            marker="o",
            lw=1.6,
            label="best continuous curve found",
        )
        axes.plot(
            bends,
            np.maximum(bounds.floors, 1e-9),
            color=MUTED,
            marker="v",
            ls=":",
            lw=1.2,
            label="proven lower bound",
        )
        axes.axhline(
            panel.unexplained_variance or 1e-9, color=FIT, ls="--", lw=1.6, label="your fit"
        )
        axes.axhline(panel.criterion.tolerance, color=TARGET, lw=0.8, label="tolerance")
        axes.set_yscale("log")
        axes.set_xticks(bends)
        axes.set_xlabel("bends")
        axes.set_ylabel("unexplained variance")
        axes.legend(loc="best", fontsize=8)

    return _svg(draw, 3.0)


def strips(panel: FitPanel, arms: Sequence[ArmPanel]) -> str:
    """All replicates of some arms on a log axis, each row with its count."""
    if not arms:
        return ""
    random = np.random.default_rng(0)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, one in enumerate(arms):
            values = np.array([np.nan if value is None else value for value in one.strip])
            shown = np.clip(np.nan_to_num(values, nan=10.0, posinf=10.0), 1e-5, 10.0)
            inside = shown <= panel.criterion.tolerance
            spots = row + random.uniform(-0.3, 0.3, len(shown))
            axes.scatter(shown[inside], spots[inside], s=7, color=FIXED, alpha=0.6, lw=0)
            axes.scatter(shown[~inside], spots[~inside], s=7, color=FIT, alpha=0.6, lw=0)
        axes.axvline(panel.criterion.tolerance, color=TARGET, lw=0.9, ls="--")
        axes.set_xscale("log")
        axes.set_yticks(range(len(arms)), [_two_lines(one.label) for one in arms], fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("unexplained variance (dashed: tolerance)")

    return _svg(draw, 0.9 + 0.42 * len(arms))


def luck(panel: FitPanel) -> str:
    """Sample fits of the untouched script as small multiples, the person's own first."""
    curve = panel.curve
    if curve is None or not curve.others or curve.inputs != 1:
        return ""
    x = np.array(curve.x)
    step = max(1, len(x) // 150)

    def draw(figure: Figure) -> None:
        shown = min(11, len(curve.others))
        grid = figure.subplots(2, 6, sharex=True, sharey=True).ravel()
        target = np.array(curve.target)
        for at, axes in enumerate(grid):
            axes.set_xticks([])
            axes.set_yticks([])
            if at > shown:
                axes.set_visible(False)
                continue
            axes.plot(x, target, color=TARGET, lw=0.8)
            if at == 0:
                axes.plot(x, _floats(curve.fit), color=FIT, lw=1.8)
                axes.set_title("yours", fontsize=8)
            else:
                axes.plot(
                    x[::step], _floats(curve.others[at - 1])[: len(x[::step])], color=FIXED, lw=1.2
                )
        low, high = np.nanmin(target), np.nanmax(target)
        pad = 0.3 * (high - low or 1.0)
        grid[0].set_ylim(low - pad, high + pad)

    return _svg(draw, 2.3)


# ---- helpers ----


def _floats(values: Sequence[Number]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _all_positive(values: Sequence[Number]) -> bool:
    return all(value is not None and value > 0 for value in values)


def _is_scattered(target: Sequence[float]) -> bool:
    """Whether the target jumps about so much that a line through it would hide it."""
    values = np.asarray(target)
    if len(values) < 8 or np.ptp(values) == 0.0:
        return len(values) < 60
    return bool(np.mean(np.abs(np.diff(values, 2))) > 0.08 * np.ptp(values))


def _short(label: str, most: int = 40) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _two_lines(label: str) -> str:
    return label.replace(" and ", "\nand ", 1) if len(label) > 26 else label


def _svg(draw: Callable[[Figure], Any], height: float) -> str:
    """Draw into a new figure and return its SVG element, colours as CSS variables."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        for axes in figure.axes:
            _keep_text_plain(axes)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    text = content.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', text, count=1
    )
    for colour, variable in VARIABLES.items():
        text = re.sub(re.escape(colour), variable, text, flags=re.I)
    return re.sub(r"[ \t]+\n", "\n", text).strip()


def _keep_text_plain(axes: Axes) -> None:
    """A person's text is never read as TeX, and powers of ten are written out."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _at: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title):
        text.set_parse_math(False)
    legend = axes.get_legend()
    if legend is not None:
        for text in legend.get_texts():
            text.set_parse_math(False)
