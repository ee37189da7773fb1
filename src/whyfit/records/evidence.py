"""What was measured of a fit: numbers only, never a judgement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from whyfit.records.fit import Fit
from whyfit.records.network import Array, Network


@dataclass(frozen=True)
class Hinge:
    """A bend of a piecewise-linear network with one input.

    `position` is in the network's input; the slopes are those of the first output left and right of
    it; `layer` and `unit` (both from 1) say whose pre-activation crosses zero there.
    """

    layer: int
    unit: int
    position: float
    slope_before: float
    slope_after: float
    inside: bool


@dataclass(frozen=True)
class UnitActivity:
    """What one hidden unit does over all the data.

    Shares are of the samples: `on` where z > 0, `saturated` where the output lies within one
    percent of its range from a bound.
    """

    layer: int
    unit: int
    on: float
    saturated: float
    dies: bool

    @property
    def state(self) -> str:
        """What the unit does: "off" or "on" for every sample, "bent" for some, else "smooth"."""
        if not self.dies:
            return "smooth"
        return "off" if self.on == 0.0 else "on" if self.on == 1.0 else "bent"


@dataclass(frozen=True, eq=False)
class Capacity:
    """The least unexplained variance a network of this shape can reach on these data.

    `lower_bound` is proven for every network with at most `bends` bends; `witness` is what
    `network` reaches, run on the data. `floors` maps a number of bends to the least unexplained
    variance of any function with so many; `reached` to what a continuous one was found to reach.
    """

    bends: int
    lower_bound: float
    exact: bool
    witness: float
    network: Network
    floors: tuple[float, ...]
    reached: tuple[float, ...]


@dataclass(frozen=True)
class ColumnMeasures:
    """Spread of one column of data."""

    low: float
    high: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class DataMeasures:
    """Spread of the data as passed to `fit`; `noise_floor` is a share of the variance of y."""

    samples: int
    x: tuple[ColumnMeasures, ...]
    y: tuple[ColumnMeasures, ...]
    noise_floor: float
    best_line: float

    @property
    def target_is_constant(self) -> bool:
        """Whether there is nothing to explain."""
        return all(column.deviation == 0.0 for column in self.y)


@dataclass(frozen=True)
class TrainingMeasures:
    """The loss curve in numbers.

    `last_fall` is the relative fall of the loss between the means of the last two tenths of the
    epochs; `rises` is the share of the epochs of the second half whose loss rose by more than a
    tenth; `first_nonfinite` is the first epoch (from 1) whose loss was not finite, or None.
    """

    epochs: int
    steps: int
    first_loss: float
    last_loss: float
    least_loss: float
    last_fall: float
    rises: float
    first_nonfinite: int | None


@dataclass(frozen=True)
class StartMeasures:
    """Each layer's start weights: their root mean square, and that of the customary initializer.

    Customary is He (2015) before a ReLU-like activation and Glorot (2010) otherwise.
    """

    drawn: tuple[float, ...]
    customary: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class HingeTracks:
    """Where the first layer's units bend during training, one input only; NaN where never."""

    epochs: Int[Array, times]
    positions: Float[Array, "times units"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything measured of one fit. None means that it could not be, for want of weights or
    because the network is not of the kind; `not_measured` says what and why.
    """

    fit: Fit
    data: DataMeasures
    training: TrainingMeasures
    start: StartMeasures | None
    start_units: tuple[UnitActivity, ...]
    end_units: tuple[UnitActivity, ...]
    deaths: tuple[tuple[int, int, int], ...]
    start_hinges: tuple[Hinge, ...]
    end_hinges: tuple[Hinge, ...]
    tracks: HingeTracks | None
    capacity: Capacity | None
    not_measured: tuple[str, ...] = ()

    @property
    def has_hinges(self) -> bool:
        """Whether hinges could be traced: one input, piecewise-linear hidden layers."""
        start = self.fit.start
        return (
            start is not None
            and start.inputs == 1
            and bool(start.hidden)
            and all(layer.activation.piecewise_linear for layer in start.layers)
            and any(layer.activation.name != "linear" for layer in start.hidden)
        )

    @property
    def input_range(self) -> tuple[float, float]:
        """Least and greatest value of the first input."""
        return self.data.x[0].low, self.data.x[0].high


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if np.isfinite(value) else None
