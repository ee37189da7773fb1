"""A captured training run: what went in, what came out, and where in the script it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from whyfit.records.network import Array, Network
from whyfit.records.recipe import Affine, Recipe
from whyfit.records.variance import unexplained_variance


@dataclass(frozen=True)
class Place:
    """A call in a source file: first and last line (from 1) and columns (from 0, in characters)."""

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    @property
    def start(self) -> tuple[int, int]:
        """First line and column."""
        return self.line, self.column

    @property
    def end(self) -> tuple[int, int]:
        """Last line and the column after it."""
        return self.end_line, self.end_column

    def covers(self, other: Place) -> bool:
        """Whether another place of the same file lies within this one."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Call:
    """A call of the script that shaped the fit, such as `Dense(4)` or `compile(...)`.

    `role` says what it made: "fit", "compile", "optimizer", "scheduler", "loss", "layer", "dropout",
    "input_scaler", "target_scaler" and what else adapters find. `index` numbers the layers, first hidden
    layer 0.
    """

    role: str
    place: Place
    index: int = 0


SCALING_LAYERS = ("Normalization", "Rescaling")
"""Keras's layers that scale a network's inputs and are not trained."""


@dataclass(frozen=True, eq=False)
class Scaler:
    """What scaled x or y before the network: a scaler of scikit-learn, or a first layer of Keras."""

    kind: str
    transform: Affine
    feature_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class SeedCall:
    """A call by which the script seeded a random generator."""

    function: str
    seed: str
    line: int


@dataclass(frozen=True, eq=False)
class DrawnLine:
    """The x of a line that the script drew, in the order in which its points are connected."""

    x: Float[Array, points]


@dataclass(frozen=True)
class Apart:
    """How far so many inputs asked for lie from where the scaler of the training inputs would have put
    them: root mean square, in deviations of the training inputs.
    """

    shift: float
    points: int


@dataclass(frozen=True, eq=False)
class Answers:
    """What a trained network gave the script in one call, and the line of the call."""

    x: Float[Array, "points inputs"]
    outputs: Float[Array, "points outputs"]
    line: int


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Samples that the training watches but does not learn from, as x and y were passed."""

    x: Float[Array, "held_out inputs"]
    y: Float[Array, "held_out outputs"]


@dataclass(frozen=True, eq=False)
class WeightHistory:
    """Weights during training: row i holds all weights after `epochs[i]` epochs; 0 is the start."""

    epochs: Int[Array, times]
    weights: Float[Array, "times parameters"]


@dataclass(frozen=True, eq=False)
class Fit:
    """One captured training run.

    `x` and `y` are the data as passed to `fit`, two-dimensional; `x_shape` and `y_shape` are the
    shapes before that. `recipe` is None where the network is not a chain of dense layers.
    `unsupported` is the reason why the fit cannot be trained again, or None if it can.
    `seeds_weights` says whether the script fixed the start weights. `epochs_done` is less than the
    recipe's where training was cut off.

    What only some captures can tell: `metrics` as the script named them; `asked`, the inputs at
    which it asked for predictions or errors afterwards; `drawn`, the lines it drew;
    `scaler_shared`, whether one scaler object made both x and y; `gradients_cleared`, whether the
    loop cleared the gradients before each step (False where it never did; None where it did before
    some, where the framework does it, or where nobody looked);
    `held_out`, where early stopping or the learning rate goes by such samples;
    `output_shape`, the shape of the outputs where the loss compared them with targets of `y_shape`;
    `sample_weight`, what the script had the loss of each sample multiplied with;
    `ignored_decay`, the `decay` that the script gave its optimizer and Keras 3 ignored: the learning
    rate was to be divided by 1 + decay x steps;
    `asked_apart`, of the call whose inputs a scaler fitted otherwise has put farthest off;
    `answers`, what the network gave the script afterwards, where dropout may have been on.
    """

    framework: str
    place: Place
    x: Float[Array, "samples inputs"]
    y: Float[Array, "samples outputs"]
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    recipe: Recipe | None
    unsupported: str | None
    start: Network | None
    end: Network | None
    predictions: Float[Array, "samples outputs"] | None
    weight_history: WeightHistory | None
    history: Mapping[str, tuple[float, ...]]
    epochs_done: int
    calls: tuple[Call, ...] = ()
    input_scaler: Scaler | None = None
    target_scaler: Scaler | None = None
    seeds: tuple[SeedCall, ...] = ()
    seeds_weights: bool = False
    warnings: tuple[str, ...] = ()
    summary: str = ""
    engine_trained: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    asked: Float[Array, "points inputs"] | None = None
    drawn: tuple[DrawnLine, ...] = ()
    scaler_shared: bool = False
    gradients_cleared: bool | None = None
    output_shape: tuple[int, ...] = ()
    held_out: HeldOut | None = None
    sample_weight: Float[Array, samples] | None = None
    ignored_decay: float | None = None
    answers: tuple[Answers, ...] = ()
    asked_apart: Apart | None = None

    @property
    def unexplained_variance(self) -> float:
        """Mean squared error over the variance of y: 0 is perfect, 1 no better than the mean.

        Weighted where the samples are: one of weight 0 counts for nothing.
        """
        if self.predictions is None:
            return float("nan")
        return unexplained_variance(self.predictions, self.y, self.sample_weight)

    def in_target_units(self, values: Array) -> Array:
        """Targets or predictions in the person's own units, before their scaler."""
        return self.target_scaler.transform.invert(values) if self.target_scaler else values

    def in_input_units(self, values: Array) -> Array:
        """Inputs in the person's own units, before their scaler."""
        return self.input_scaler.transform.invert(values) if self.input_scaler else values

    def in_units_of_x(self, place: float, column: int = 0) -> float:
        """A place on one input axis in the person's own units."""
        row = np.zeros((1, self.x.shape[1]))
        row[0, column] = place
        return float(self.in_input_units(row)[0, column])
