"""Figures of the training: the loss, and where the units bend."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from whyfit.report.drawing.canvas import BAND, DASHES, FIT, MOST_NAMED, MUTED, UNIT, floats, svg
from whyfit.report.panels.fit import FitPanel


def loss(name: str, panel: FitPanel) -> str:
    """Loss by epoch."""
    course = panel.training
    losses = floats(course.loss)
    if not len(losses) or not np.any(np.isfinite(losses)):
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(course.epochs, losses, color=FIT, lw=1.6)
        if np.all(losses[np.isfinite(losses)] > 0):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")

    return svg(name, draw, 2.2)


def tracks(name: str, panel: FitPanel) -> str:
    """Where the units bend, by epoch: a line for each of the first layer, dots for deeper ones. The band
    is the range of the data.
    """
    course, curve = panel.training, panel.curve
    if not course.tracks or curve is None:
        return ""
    low, high = float(floats(curve.x)[0]), float(floats(curve.x)[-1])
    died = {unit.unit for unit in panel.units if unit.layer == 1 and unit.state_at_end == "off"}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhspan(low, high, color=BAND, alpha=0.15, lw=0)
        if deep := course.deeper_bends:
            epochs, places = [each.epoch for each in deep], floats([each.x for each in deep])
            axes.plot(epochs, places, ".", color=FIT, ms=2.5)
        for at, track in enumerate(course.tracks):
            dead = at + 1 in died
            axes.plot(
                course.track_epochs,
                floats(track),
                color=MUTED if dead else UNIT,
                ls=":" if dead else DASHES[at % len(DASHES)],
                lw=1.5,
            )
            place = floats(track)[-1]
            if len(course.tracks) <= MOST_NAMED and np.isfinite(place):
                axes.annotate(
                    f" {at + 1}",
                    (course.track_epochs[-1], place),
                    color=MUTED if dead else UNIT,
                    va="center",
                    annotation_clip=True,
                )
        margin = 0.6 * (high - low or 1.0)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel("epoch")
        axes.set_ylabel("bends at x")

    return svg(name, draw, 2.6)
