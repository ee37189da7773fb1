"""Sketches: small drawings without axes, one for each row of a table or cell of a grid.

They are plain SVG paths in a fixed box, so that hundreds of them stay small; what they mean stands
beside them in words and numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whyfit.records.network import Array
from whyfit.report.panels.values import Number, Pair

STRIP_WIDTH, STRIP_HEIGHT = 240, 18
STRIP_LOW, STRIP_HIGH = 1e-5, 10.0
CURVE_WIDTH, CURVE_HEIGHT = 120, 72


def strip_place(value: float) -> float:
    """Where an unexplained variance lies on the log axis of a strip."""
    inside = min(max(value, STRIP_LOW), STRIP_HIGH)
    share = np.log10(inside / STRIP_LOW) / np.log10(STRIP_HIGH / STRIP_LOW)
    return round(float(4 + share * (STRIP_WIDTH - 8)), 1)


def strip(values: Sequence[Number], tolerance: float) -> str:
    """Dots for all values on a log axis, those within the tolerance apart; None lies at the far end."""
    random = np.random.default_rng(0)
    heights = random.integers(3, STRIP_HEIGHT - 2, len(values))
    good, bad = [], []
    for value, height in zip(values, heights, strict=True):
        place = strip_place(STRIP_HIGH if value is None else value)
        dot = f"M{place:g} {height}h0"
        (good if value is not None and value <= tolerance else bad).append(dot)
    mark = strip_place(tolerance)
    paths = f'<path class="limit" d="M{mark:g} 0V{STRIP_HEIGHT}"/>'
    if bad:
        paths += f'<path class="dot bad" d="{"".join(bad)}"/>'
    if good:
        paths += f'<path class="dot good" d="{"".join(good)}"/>'
    return paths


def bar(rate: float, interval: Pair) -> str:
    """A bar from 0 to 1 with its interval as a whisker, in a box of 100 by 12."""
    low, high = (0.0 if end is None else end for end in interval)
    return (
        '<rect class="rail" width="100" height="12"/>'
        f'<rect class="filled" width="{100 * rate:.1f}" height="12"/>'
        f'<path class="whisker" d="M{100 * low:.1f} 6H{100 * high:.1f}"/>'
    )


class CurveBox:
    """The common frame of curves that are compared by eye."""

    def __init__(self, x: Sequence[Number], target: Sequence[Number]) -> None:
        self._x = _floats(x)
        values = _floats(target)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        room = 0.35 * (high - low or 1.0)
        self._low, self._high = low - room, high + room

    def path(self, values: Sequence[Number]) -> str:
        """The curve as path data; it leaves the frame where it is out of it, and breaks at None."""
        y = np.clip(_floats(values), self._low - 9e9, self._high + 9e9)
        width = float(self._x[-1] - self._x[0]) or 1.0
        places = (self._x - self._x[0]) / width * CURVE_WIDTH
        heights = (self._high - y) / (self._high - self._low) * CURVE_HEIGHT
        heights = np.clip(heights, -CURVE_HEIGHT, 2 * CURVE_HEIGHT)
        pieces, pen_down = [], False
        for at in _corners(places, heights):
            if not np.isfinite(heights[at]):
                pen_down = False
                continue
            pieces.append(f"{'L' if pen_down else 'M'}{places[at]:.1f} {heights[at]:.1f}")
            pen_down = True
        return "".join(pieces)


def _corners(x: Array, y: Array) -> list[int]:
    """Points that lie on the straight line between their neighbours left out (to a tenth of a unit)."""
    kept = [0]
    for at in range(1, len(x) - 1):
        last = kept[-1]
        span = x[at + 1] - x[last]
        if span == 0.0:  # samples of one x
            kept.append(at)
            continue
        between = range(last + 1, at + 1)
        slope = (y[at + 1] - y[last]) / span
        gaps = [abs(y[last] + slope * (x[each] - x[last]) - y[each]) for each in between]
        if not all(gap < 0.15 for gap in gaps):  # also where one is not a number
            kept.append(at)
    return kept if len(x) == 1 else [*kept, len(x) - 1]


def _floats(values: Sequence[Number]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
