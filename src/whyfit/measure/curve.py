"""Curve: the targets over one input, as steps, swings, gaps and jumps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from whyfit.records.evidence import CurveMeasures
from whyfit.records.network import Array, Network

SWING = 0.25
"""Least height of a swing, as a share of the range of y: what a reader of the plot would count."""


GAP = 5.0
"""Neighbours farther apart than five times the usual have a gap between them, not a step."""


def curve_measures(
    x: Float[Array, "samples inputs"], y: Float[Array, "samples outputs"], noise_floor: float
) -> CurveMeasures | None:
    """Measure the first target as a function of one input; None for several inputs or constant data.

    `noise_floor` is the share of the variance of y that is noise: swings must stand out from it.
    """
    if x.shape[1] != 1:
        return None
    places, owner = np.unique(x[:, 0], return_inverse=True)
    if len(places) < 3:
        return None
    values = np.bincount(owner, y[:, 0]) / np.bincount(owner)
    reach, height = float(np.ptp(places)), float(np.ptp(values))
    if height == 0.0:
        return None
    steps = np.abs(np.diff(values)) / height
    apart = np.diff(places)
    steps[apart > GAP * np.median(apart)] = 0.0
    widest = int(np.argmax(steps))
    noise = float(np.sqrt(noise_floor * np.var(y[:, 0])))
    swings = oscillations(values, max(SWING * height, 6.0 * noise))
    return CurveMeasures(
        gap=float(np.max(apart)) / reach,
        jump=float(steps[widest]),
        jump_at=float(places[widest] + places[widest + 1]) / 2.0,
        usual_step=float(np.quantile(np.delete(steps, widest), 0.95)),
        oscillations=swings,
        per_deviation=swings * float(np.std(x[:, 0])) / reach,
    )


def oscillations(values: Float[Array, points], least: float) -> float:
    """Full swings of a sequence: the way it goes up and down over twice its range.

    Swings smaller than `least` are not followed.

    >>> phase = np.linspace(0.0, 3.0, 301)
    >>> round(oscillations(np.sin(2 * np.pi * phase), 0.5), 3)
    3.0
    """
    turns = [float(values[0])]
    high = low = float(values[0])
    way = 0
    for value in values.tolist():
        high, low = max(high, value), min(low, value)
        if way >= 0 and high - value >= least:
            turns.append(high)
            way, low = -1, value
        elif way <= 0 and value - low >= least:
            turns.append(low)
            way, high = 1, value
    turns.append(high if way > 0 else low if way < 0 else float(values[-1]))
    return float(np.sum(np.abs(np.diff(turns)))) / (2.0 * float(np.ptp(values)))


def between_samples(
    network: Network,
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
) -> float | None:
    """Mean squared miss of the curve midway between samples, over the variance of y.

    One input only. The target midway is taken as the mean of its neighbours.
    """
    if x.shape[1] != 1:
        return None
    places, owner = np.unique(x[:, 0], return_inverse=True)
    variance = float(np.mean((y - y.mean(axis=0)) ** 2))
    if len(places) < 3 or variance == 0.0:
        return None
    counts = np.bincount(owner)
    means = np.stack([np.bincount(owner, column) / counts for column in y.T], axis=1)
    midway = (places[:-1] + places[1:]) / 2.0
    with np.errstate(over="ignore", invalid="ignore"):
        missed = network(midway[:, None]) - (means[:-1] + means[1:]) / 2.0
        return float(np.mean(missed**2)) / variance
