"""Canvas: how matplotlib's SVG becomes part of a page. The only place that imports it.

Colours are written as CSS variables, so that one file serves light, dark and print; each role has one
colour everywhere. Text stays text and gets its size from the page, so that it is readable on a
telephone and not huge on a desk. A figure is drawn narrow, with text for that width.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, FuncFormatter, MaxNLocator, NullFormatter

from whyfit.report.panels.values import Number

# Okabe & Ito's palette, safe for the colour-blind; each is a placeholder for a CSS variable.
TARGET, MUTED = "#010203", "#7f7f81"
FIT, FIXED, RESIDUAL, BAND, UNIT = "#d55e00", "#0072b2", "#cc79a7", "#56b4e9", "#009e73"

VARIABLES = {
    TARGET: "var(--ink)",
    MUTED: "var(--muted)",
    FIT: "var(--fit)",
    FIXED: "var(--fixed)",
    RESIDUAL: "var(--residual)",
    BAND: "var(--band)",
    UNIT: "var(--unit)",
}

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1.5, 1.5)))
"""Lines of one role are told apart by their dashes, never by colour alone."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 13.0,
    "axes.labelsize": 13.0,
    "text.color": TARGET,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": TARGET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TARGET,
    "ytick.labelcolor": TARGET,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "path.simplify": True,
}

WIDTH = 5.2
"""Inches; the page scales the figure."""

MOST_NAMED = 8
"""With more lines than this in a figure they are not named one by one."""

Draw = Callable[[Figure], Any]


def svg(name: str, draw: Draw, height: float, *, follow: bool = False) -> str:
    """Draw into a new figure and return its SVG element.

    `name` must be the figure's own on its page: identifiers are made from it. With `follow` the element
    carries the frame of its first axes, so that a pointer can be followed.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name, "svg.id": name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        for axes in figure.axes:
            _keep_text_plain(axes)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
        frame = _frame(figure) if follow else ""
    return _cleaned(content.getvalue(), frame)


def _frame(figure: Figure) -> str:
    """The first axes: left, right, bottom, top in SVG units, then the limits of x and y."""
    axes = figure.axes[0]
    box = axes.get_window_extent()
    scale = 72.0 / figure.dpi
    height = figure.get_figheight() * 72.0
    sides = [box.x0 * scale, box.x1 * scale, height - box.y0 * scale, height - box.y1 * scale]
    limits = [*axes.get_xlim(), *axes.get_ylim()]
    numbers = [round(float(value), 2) for value in sides]
    numbers += [float(f"{value:.6g}") for value in limits]
    return f" data-frame='{json.dumps(numbers, separators=(',', ':'))}'"


def _cleaned(text: str, frame: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" aria-hidden="true" focusable="false"{frame}>',
        text,
        count=1,
    )
    text = re.sub(r'<g id="(?!w-)[^"]*">', "<g>", text)
    text = re.sub(r'<g id="w-([^"]*)">', r'<g class="\1">', text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r"font(-size|-family)?: [^;\"]*;? ?", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", text)
    text = re.sub(r' (?:d|x|y|x1|y1|x2|y2|transform|width|height)="[^"]*"', _with_few_digits, text)
    for colour, variable in VARIABLES.items():
        text = re.sub(re.escape(colour), variable, text, flags=re.I)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"\s*\n\s*(?=[LMQCz\"])", "", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _with_few_digits(attribute: re.Match[str]) -> str:
    """A hundredth of a point is finer than any screen; labels, being no attributes, keep all digits."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute.group())


def _keep_text_plain(axes: Axes) -> None:
    """A person's text is never read as TeX, powers of ten are written out, ticks are few."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _at: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        elif type(axis.get_major_locator()) is AutoLocator:
            axis.set_major_locator(MaxNLocator(5))
    texts = (*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts, axes.title)
    for text in texts:
        text.set_parse_math(False)


def floats(values: Sequence[Number]) -> np.ndarray:
    """Numbers for drawing, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
