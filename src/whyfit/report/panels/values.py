"""Numbers as panels hold them: rounded to what a reader can use, and None where there is none."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whyfit.records.fit import Fit
from whyfit.records.study import Interval
from whyfit.study.effects import rate_interval

Number = float | None
Pair = tuple[Number, Number]
Series = tuple[Number, ...]


def rounded(value: float, digits: int = 4) -> Number:
    """The value to some significant digits, or None where it is not finite.

    >>> rounded(0.123456), rounded(float("inf"))
    (0.1235, None)
    """
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def series(values: Iterable[float], digits: int = 6) -> Series:
    """Many values, each rounded."""
    return tuple(rounded(float(value), digits) for value in values)


def pair(interval: Interval) -> tuple[float, float]:
    """Both ends of an interval."""
    return interval.low, interval.high


def exact_interval(successes: int, replicates: int) -> tuple[float, float]:
    """The 95 % interval of a success rate (Clopper & Pearson)."""
    return pair(rate_interval(successes, replicates))


def in_x_units(fit: Fit, position: float, column: int = 0) -> Number:
    """A place on one input axis in the person's own units, before their scaler."""
    if not np.isfinite(position):
        return None
    return rounded(fit.in_units_of_x(position, column), 6)


def slope_scale(fit: Fit) -> float:
    """What turns a slope between the network's input and output into one in the person's units."""
    scale = 1.0
    if fit.target_scaler is not None:
        scale *= float(fit.target_scaler.transform.scale[0])
    if fit.input_scaler is not None:
        scale /= float(fit.input_scaler.transform.scale[0])
    return scale


def several(count: int, word: str) -> str:
    """A count with its noun.

    >>> several(1, "bend"), several(3, "bend")
    ('1 bend', '3 bends')
    """
    return f"{count} {word}" + ("" if count == 1 else "s")


MOST = 100.0
"""A share above this says no more than that it is absurd."""


def percent(value: Number) -> str:
    """A share in percent: whole from ten up, one digit below, two below one.

    >>> percent(0.321), percent(0.0166), percent(0.0017), percent(0.0), percent(None)
    ('32%', '1.7%', '0.17%', '0%', '–')
    >>> percent(9.7), percent(8205590.6)
    ('970%', 'over 10000%')
    """
    if value is None:
        return "–"
    if value > MOST:
        return f"over {MOST:.0%}"
    if value >= 0.0995 or value == 0:
        return f"{value:.0%}"
    return f"{value:.1%}" if value >= 0.00995 else f"{value:.2g}%" if value < 0 else _small(value)


def _small(value: float) -> str:
    return f"{100 * value:.2g}%" if value >= 1e-6 else "under 0.0001%"
