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
    percent of its range from a bound. `no_gradient` says that the gradient of the loss in all of
    the unit's own weights is exactly zero (measured at the start and at the end).
    """

    layer: int
    unit: int
    on: float
    saturated: float
    dies: bool
    no_gradient: bool = False

    @property
    def state(self) -> str:
        """What the unit does: "off" or "on" for every sample, "bent" for some, else "smooth"."""
        if not self.dies:
            return "smooth"
        return "off" if self.on == 0.0 else "on" if self.on == 1.0 else "bent"


@dataclass(frozen=True, eq=False)
class Capacity:
    """The least unexplained variance a network of this shape can reach on these data.

    `bends` is the number of hidden units, which for one hidden layer is that of the bends; `pieces`
    the most straight pieces the shape can make. `lower_bound` is proven for every network of the
    shape (0 where it has too many pieces to be told from 0); `witness` is what
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
    pieces: int = 0


@dataclass(frozen=True)
class ColumnMeasures:
    """Spread of one column of data."""

    low: float
    high: float
    mean: float
    deviation: float


FLOAT32_ROUNDING = 2.0**-23
"""Relative distance of two neighbours in float32 (numpy.finfo)."""


@dataclass(frozen=True)
class FarTargets:
    """Samples whose target lies far from all the others', and the share of the variance of y that they
    make up.
    """

    count: int
    share: float


@dataclass(frozen=True)
class DataMeasures:
    """Spread of the data as passed to `fit`; `noise_floor` is a share of the variance of y.

    `best_line` is the unexplained variance of the best affine function. `sorted_share` is the share of
    the steps from sample to sample that go the same way in the input that is most in order: 1 if
    the data are sorted, about 0.5 if they are shuffled. `noise_measured` says whether the samples
    suffice to tell noise from curve. `tail` is the greatest distance of a target
    from its mean in standard deviations. `duplicates` is the share of samples whose x came before.
    `far` are targets far from the others that make up most of the variance.
    """

    samples: int
    x: tuple[ColumnMeasures, ...]
    y: tuple[ColumnMeasures, ...]
    noise_floor: float
    best_line: float
    sorted_share: float = 0.5
    tail: float = 0.0
    duplicates: float = 0.0
    noise_measured: bool = False
    far: FarTargets | None = None

    @property
    def target_is_constant(self) -> bool:
        """Whether there is nothing to explain but what rounding to float32 makes of one value."""
        return all(
            column.deviation <= FLOAT32_ROUNDING * max(abs(column.low), abs(column.high))
            for column in self.y
        )

    @property
    def is_unrelated(self) -> bool:
        """Whether neighbours in the only input differ in y about as much as any two samples: what a
        quarter above the noise floor allows is then all of the variance.
        """
        return len(self.x) == 1 and self.noise_measured and 1.25 * self.noise_floor >= 1.0


@dataclass(frozen=True)
class CurveMeasures:
    """The targets as a curve over one input.

    `gap` is the widest gap between neighbouring x, a share of their range. `jump` is the largest step
    of y between neighbouring x, a share of the range of y, and `usual_step` the 95 % quantile of all
    steps, likewise. `oscillations` counts full swings of at least a quarter of the range of y;
    `per_deviation` is that number for a stretch of one standard deviation of x.
    """

    gap: float
    jump: float
    jump_at: float
    usual_step: float
    oscillations: float
    per_deviation: float


@dataclass(frozen=True)
class StepMeasures:
    """Gradients and steps.

    `gradients` is the root mean square gradient of each layer's weights at the start. `curvature` is
    the largest curvature of the loss at the start, the largest eigenvalue of its Hessian, and
    `end_curvature` at the end; NaN where the network is too large. Plain gradient descent overshoots
    where learning rate x curvature exceeds 2. `moved` is how far each layer's weights went from the
    start, over their size there; `update` the mean step over the size of the weights, in the last
    recorded epoch. `reach` is steps made x mean learning rate, the farthest a weight can go where steps
    are normalised (Adam and its kin; None otherwise), and `distance` how far the output weights must go
    for an output of the size of the targets. `smallest` is the least root mean square weight of any
    layer at the start.
    """

    gradients: tuple[float, ...]
    curvature: float
    end_curvature: float
    moved: tuple[float, ...]
    update: float
    reach: float | None
    distance: float
    smallest: float = 0.0


@dataclass(frozen=True)
class Identities:
    """Equalities that prove a fault rather than suggest it; differences are shares, 0 means equal.

    `constant`: standard deviation of the predictions over that of y. `linear`: unexplained variance of
    the best affine function of the *predictions*. `odd`: greatest |f(x) + f(-x) - 2 f(0)| over the
    range of f, f being what enters the output's activation; NaN without a network. `at_bound`: share
    of the predictions at a bound of the output activation. `broadcast`: mean of (f_i - y_j)^2 over all
    pairs, over the variance of y, which is what a loss of (N, 1) against (N,) computes. `reported`: the
    last loss the framework reported, over the variance of y; NaN if the loss is not the mean squared
    error. `equal_units` counts the hidden units whose weights equal those of another of their layer at
    the start.
    """

    constant: float
    linear: float
    odd: float
    at_bound: float
    broadcast: float
    reported: float
    equal_units: int


@dataclass(frozen=True)
class Scatter:
    """How far so many answers, asked for in a line of the script, lie off what the network gives
    without dropout: mean square over the variance of the targets.
    """

    share: float
    points: int
    line: int


@dataclass(frozen=True)
class Regularisation:
    """What is added to the error, or taken from the network, to keep it simple.

    `penalty` is the share of penalties in penalties plus error (for coupled weight decay the penalty
    that it is the gradient of), the larger of start and end: a penalty that has done its work is small.
    `decay` is the greatest weight times a decoupled decay, which is how hard it pulls compared with
    a step of full length. `dropout` is the variance that dropout gives a sum of equal outputs,
    over its mean squared, in the layer where it is largest: p / ((1 - p) units). `scatter` is that of
    the answers that the script got with dropout on.
    """

    penalty: float = 0.0
    decay: float = 0.0
    dropout: float = 0.0
    scatter: Scatter | None = None


@dataclass(frozen=True)
class Floors:
    """Least unexplained variance of what the network can be, whatever its weights; 0 if none is known.

    `without_bias` for ReLU layers without biases, which make two straight lines that meet at x = 0;
    `without_nonlinearity` for linear layers; `output_range` for outputs within the range of the last
    activation; `one_unit` for one unit in every hidden layer: a curve that only rises or falls.
    """

    without_bias: float = 0.0
    without_nonlinearity: float = 0.0
    output_range: float = 0.0
    one_unit: float = 0.0


@dataclass(frozen=True)
class TrainingMeasures:
    """The loss curve in numbers.

    `last_fall` is the relative fall of the loss between the means of the last two tenths of the
    epochs; `rises` is the share of the epochs of the second half whose loss rose by more than a
    tenth; `falls` the share of those whose loss fell at all; `first_nonfinite` is the first epoch
    (from 1) whose loss was not finite, or None.
    """

    epochs: int
    steps: int
    first_loss: float
    last_loss: float
    least_loss: float
    last_fall: float
    rises: float
    first_nonfinite: int | None
    falls: float = 0.5


@dataclass(frozen=True)
class StartMeasures:
    """Each layer's start weights: their root mean square, and that of the customary initializer.

    Customary is He (2015) before a ReLU-like activation and Glorot (2010) otherwise. Where both are in
    use, `customary` is the smaller; `largest` is the larger of the two whatever the activation.
    """

    drawn: tuple[float, ...]
    customary: tuple[float, ...]
    largest: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class HingeTracks:
    """Where the first layer's units bend during training, one input only; NaN where never.

    `deeper` holds the bends of all deeper layers inside the data at some of the epochs: each row an
    epoch, a layer, a unit (both from 1) and a position. A deep unit may bend at several places.
    """

    epochs: Int[Array, times]
    positions: Float[Array, "times units"]
    deeper: Float[Array, "bends 4"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything measured of one fit. None means that it could not be, for want of weights or
    because the network is not of the kind; `not_measured` says what and why.

    `patterns` counts the distinct patterns of hidden ReLU units on or off that the data meet at the
    start and at the end: each is a region in which the network is linear. `between` is the mean
    squared distance of the curve from the targets midway between samples, over the variance of y.
    `left_out` counts the samples that are not finite numbers; the others are in `fit`.
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
    curve: CurveMeasures | None
    steps: StepMeasures | None
    identities: Identities
    floors: Floors
    regularisation: Regularisation = Regularisation()
    patterns: tuple[int, int] | None = None
    between: float | None = None
    not_measured: tuple[str, ...] = ()
    left_out: int = 0

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
    def tolerance(self) -> float:
        """The unexplained variance up to which a fit counts as good, unless the person says otherwise:
        95 % explained, or a quarter above the noise floor.
        """
        return max(0.05, 1.25 * self.data.noise_floor)

    @property
    def straight_line_suffices(self) -> bool:
        """Whether a linear function of the inputs meets the tolerance: then no unit needs to bend."""
        return self.data.best_line <= self.tolerance

    @property
    def input_range(self) -> tuple[float, float]:
        """Least and greatest value of the first input."""
        return self.data.x[0].low, self.data.x[0].high


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if np.isfinite(value) else None
