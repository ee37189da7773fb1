"""What a script does with its fits afterwards: where it asks for predictions, and what it draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.scalers import farthest_apart
from whyfit.records.fit import DrawnLine, Fit

MOST_LINES = 20


def with_what_followed(session: Session) -> tuple[Fit, ...]:
    """The fits of a session with the inputs asked for afterwards and the lines drawn."""
    fits = []
    for index, fit in enumerate(session.fits):
        asked = [
            x for number, x in session.asked if number == index and x.shape[1] == fit.x.shape[1]
        ]
        fits.append(
            replace(
                fit,
                asked=np.concatenate(asked) if asked else fit.asked,
                asked_apart=farthest_apart(session, asked, fit),
                drawn=tuple(session.drawn),
            )
        )
    return tuple(fits)


def drawn_lines(figure: Any) -> list[DrawnLine]:
    """The x of every connected line of a matplotlib figure; markers alone connect nothing."""
    lines = []
    for axes in figure.axes:
        for line in axes.get_lines()[:MOST_LINES]:
            if str(line.get_linestyle()) in ("None", "none", " ", ""):
                continue
            try:
                x = np.asarray(line.get_xdata(orig=False), dtype=np.float64).ravel()
            except (TypeError, ValueError):  # dates and categories
                continue
            if len(x) > 2:
                lines.append(DrawnLine(x))
    return lines
