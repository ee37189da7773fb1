"""A recipe: everything needed to train a network again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from whyfit.records.network import Activation, Array, Layer, Network
from whyfit.records.schedule import EarlyStopping, Framework, Schedule

VARIANCE_SCALING = {
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
    "lecun_uniform": (1.0, "fan_in", "uniform"),
    "lecun_normal": (1.0, "fan_in", "truncated_normal"),
    "torch_uniform": (1.0 / 3.0, "fan_in", "uniform"),
    "sklearn_uniform": (1.0, "fan_avg", "uniform"),
    "sklearn_logistic_uniform": (1.0 / 3.0, "fan_avg", "uniform"),
}
"""Scale, mode and distribution of the named initializers.

Keras: random_initializers.py. PyTorch's Linear.reset_parameters (torch/nn/modules/linear.py) draws
weights by kaiming_uniform_ with a = sqrt(5) and biases alike, both uniform in +-1/sqrt(fan_in).
scikit-learn's _init_coef (sklearn/neural_network/_multilayer_perceptron.py) draws both uniformly
within sqrt(6 / (fan_in + fan_out)), for logistic units sqrt(2 / (fan_in + fan_out)).
"""

FANS_OF_LAYER = ("torch_uniform", "sklearn_uniform", "sklearn_logistic_uniform")
"""Initializers whose fans, for a bias, are those of the layer's kernel; in Keras a bias has its own."""

TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal cut at +-2, as Keras writes it."""


@dataclass(frozen=True)
class Initializer:
    """Distribution of a start weight, by its Keras name.

    Constants not used by a distribution keep their defaults. `scale`, `mode` and `distribution`
    belong to `variance_scaling`, of which glorot, he and lecun are special cases.
    """

    name: str
    minval: float = -0.05
    maxval: float = 0.05
    mean: float = 0.0
    stddev: float = 0.05
    value: float = 0.0
    gain: float = 1.0
    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"

    def __str__(self) -> str:
        if self.name == "random_uniform":
            return f"random_uniform({self.minval:g}, {self.maxval:g})"
        if self.name in ("random_normal", "truncated_normal"):
            return f"{self.name}(stddev={self.stddev:g})"
        if self.name == "constant":
            return f"constant({self.value:g})"
        if self.name == "variance_scaling":
            return f"variance_scaling({self.scale:g}, {self.mode}, {self.distribution})"
        return self.name

    @property
    def scaling(self) -> tuple[float, str, str]:
        """Scale, mode and distribution of a variance-scaling initializer."""
        known = VARIANCE_SCALING.get(self.name)
        return known or (self.scale, self.mode, self.distribution)

    def root_mean_square(self, inputs: int, units: int) -> float:
        """Root mean square of the weights drawn for a kernel of this shape."""
        match self.name:
            case "random_uniform":
                low, high = self.minval, self.maxval
                return float(np.sqrt((low * low + low * high + high * high) / 3))
            case "random_normal":
                return float(np.hypot(self.mean, self.stddev))
            case "truncated_normal":
                return float(np.hypot(self.mean, TRUNCATED_STDDEV * self.stddev))
            case "zeros":
                return 0.0
            case "ones":
                return 1.0
            case "constant":
                return abs(self.value)
            case "identity" | "orthogonal":
                return abs(self.gain) / float(np.sqrt(max(inputs, units)))
            case _:
                scale, mode, _distribution = self.scaling
                return float(np.sqrt(scale / fan(mode, inputs, units)))


def fan(mode: str, inputs: int, units: int) -> float:
    """The divisor of a variance-scaling initializer, at least 1."""
    return max(1.0, {"fan_in": inputs, "fan_out": units, "fan_avg": (inputs + units) / 2}[mode])


LINEAR = Activation("linear")
GLOROT_UNIFORM, ZEROS = Initializer("glorot_uniform"), Initializer("zeros")


@dataclass(frozen=True)
class Penalty:
    """What a set of numbers v adds to the loss: l1 sum |v| + l2 sum v^2, as Keras writes it.

    PyTorch's weight decay is not a penalty (see `Optimizer`); scikit-learn's alpha is l2 = alpha / 2
    on the kernels with `Recipe.penalty_per_sample`.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __bool__(self) -> bool:
        return self.l1 != 0.0 or self.l2 != 0.0


NO_PENALTY = Penalty()


@dataclass(frozen=True)
class DenseLayer:
    """What a dense layer is before it has weights.

    `dropout` is the share of outputs set to zero in training, the others divided by 1 - dropout.
    `activity_penalty` is on the outputs of the activation, before dropout. With the activation `prelu`
    the slopes below zero are trained, one for each unit or one for all (`shared_slope`), from
    `slope_initializer`; they follow the bias in a row of weights. A layer that is not `trainable`
    keeps its weights.
    """

    units: int
    activation: Activation = LINEAR
    use_bias: bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_penalty: Penalty = NO_PENALTY
    bias_penalty: Penalty = NO_PENALTY
    activity_penalty: Penalty = NO_PENALTY
    dropout: float = 0.0
    trainable: bool = True
    shared_slope: bool = False
    slope_initializer: Initializer = ZEROS

    @property
    def slopes(self) -> int:
        """Number of trained slopes."""
        if self.activation.name != "prelu":
            return 0
        return 1 if self.shared_slope else self.units

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value an output can take; the shares of a softmax over one output are 1."""
        if self.activation.name == "softmax" and self.units == 1:
            return 1.0, 1.0
        return self.activation.range


OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta")


@dataclass(frozen=True)
class Optimizer:
    """Update rule with its constants, in the form of `framework`.

    `name` is one of `OPTIMIZERS`; `learning_rate` is per step. Constants that a rule does not have keep
    their defaults. Where the frameworks differ, `framework` decides:

    - epsilon: Keras's RMSprop adds it inside the root, PyTorch outside; Keras's Adam adds it
      outside the bias correction, PyTorch inside.
    - momentum: Keras and scikit-learn gather m = momentum m - rate g, PyTorch
      m = momentum m + (1 - dampening) g, the first m being g, and multiplies by the rate last.
    - `weight_decay`: in Keras and in PyTorch's AdamW (`decoupled_decay` for its other rules)
      w -= rate weight_decay w before the update; elsewhere in PyTorch it is added to the
      gradient as weight_decay w. scikit-learn has none (see `Penalty`).
    - clipping: in PyTorch `global_clipnorm` is clip_grad_norm_, which divides by the norm + 1e-6;
      its `clipvalue` is clip_grad_value_. Keras has all three.
    - `initial_accumulator` of Adagrad: 0.1 in Keras, 0 in PyTorch; `rate_decay` and
      `momentum_decay` are PyTorch's Adagrad's lr_decay and NAdam's momentum_decay.
    - `rho` is PyTorch's RMSprop's alpha.
    """

    name: str
    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    rho: float = 0.9
    centered: bool = False
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    framework: Framework = "keras"
    weight_decay: float = 0.0
    decoupled_decay: bool = False
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None
    amsgrad: bool = False
    dampening: float = 0.0
    initial_accumulator: float = 0.1
    rate_decay: float = 0.0
    momentum_decay: float = 0.004


@dataclass(frozen=True)
class Affine:
    """Column-wise (x - offset) / scale, applied to data as they were passed to `fit`."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def __call__(self, data: Array) -> Array:
        """The data at zero offset and unit scale."""
        return (data - np.asarray(self.offset)) / np.asarray(self.scale)

    def invert(self, data: Array) -> Array:
        """The data that this transform maps to `data`."""
        return data * np.asarray(self.scale) + np.asarray(self.offset)


LOSSES = (
    "mse",
    "rmse",
    "mae",
    "huber",
    "log_cosh",
    "mape",
    "msle",
    "binary_crossentropy",
    "categorical_crossentropy",
    "half_mse",
)
"""Losses that a recipe can have: Keras's, the root of the batch's mean square, which people write
themselves, and scikit-learn's `squared_error` as `half_mse`.

That is half the mean square over outputs and samples in what it reports, half the *sum* over
outputs in what it descends (sklearn/neural_network/_base.py and _multilayer_perceptron.py).
"""


MOST_WARMED_UP = 30.0
"""A warm-up begins at no less than this share of its rate: OneCycleLR's div_factor is 25."""


@dataclass(frozen=True)
class Recipe:
    """Everything needed to train a network again, given the data as passed to `fit`.

    Lengths: `epochs` passes over the data, `batch_size` samples a step (the last batch of an epoch
    may be short, or left out: `drop_last`), a fresh order every epoch if `shuffle`.

    `loss` is one of `LOSSES`. `loss_constant` is huber's delta; `from_logits` says that the last layer
    of a classifier gives logits; `label_smoothing` belongs to the cross-entropies; `loss_factor`
    multiplies the loss. `reduction` "sum" adds where "mean" takes the mean: over samples, and in
    PyTorch over outputs too. Penalties are added whole at every step, or divided by the samples of
    the batch (`penalty_per_sample`, scikit-learn). Sample weights are data and given to the
    training; the weighted sum is divided by the number of samples, or by the sum of the weights
    (`divide_by_weights`).

    `clears_gradients` is false for a PyTorch loop that never calls zero_grad: every step then follows
    the sum of all gradients so far, as clipping has left it.
    """

    inputs: int
    layers: tuple[DenseLayer, ...]
    loss: str
    optimizer: Optimizer
    batch_size: int
    epochs: int
    shuffle: bool = True
    input_transform: Affine | None = None
    target_transform: Affine | None = None
    loss_constant: float = 1.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    loss_factor: float = 1.0
    reduction: Literal["mean", "sum"] = "mean"
    divide_by_weights: bool = False
    penalty_per_sample: bool = False
    input_dropout: float = 0.0
    drop_last: bool = False
    schedule: Schedule | None = None
    early_stopping: EarlyStopping | None = None
    clears_gradients: bool = True

    @property
    def watches_held_out(self) -> bool:
        """Whether training depends on samples that it does not learn from."""
        watching = [each.monitor for each in (self.schedule, self.early_stopping) if each]
        return any(monitor != "loss" for monitor in watching)

    @property
    def parameters(self) -> int:
        """Number of trained numbers: weights, biases, and slopes of `prelu`."""
        return sum(
            rows * columns + columns * biased + layer.slopes
            for (rows, columns, biased), layer in zip(self.shapes, self.layers, strict=True)
        )

    @property
    def framework(self) -> Framework:
        """Whose formulas losses, optimizer and schedule follow."""
        return self.optimizer.framework

    @property
    def shapes(self) -> tuple[tuple[int, int, bool], ...]:
        """(inputs, units, has a bias) of each layer."""
        rows = (self.inputs, *(layer.units for layer in self.layers))
        return tuple(
            (rows[index], layer.units, layer.use_bias) for index, layer in enumerate(self.layers)
        )

    @property
    def hidden(self) -> tuple[DenseLayer, ...]:
        """All layers but the last."""
        return self.layers[:-1]

    def with_hidden(self, hidden: tuple[DenseLayer, ...]) -> Recipe:
        """The same recipe with other hidden layers."""
        return replace(self, layers=(*hidden, self.layers[-1]))

    def steps(self, samples: int) -> int:
        """Optimizer steps of a whole training that is not stopped early."""
        return self.epochs * self.steps_per_epoch(samples)

    def steps_per_epoch(self, samples: int) -> int:
        """Optimizer steps of one epoch."""
        whole, rest = divmod(samples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def learning_rates(self, samples: int, epochs: int | None = None) -> Array | None:
        """Rates of a whole training, or of its first `epochs`, of shape (epochs,) or (steps,); None
        where there is no schedule or it watches the loss.
        """
        schedule = self.schedule
        if schedule is None or schedule.watches_loss:
            return None
        steps = self.steps_per_epoch(samples)
        used = steps * self.batch_size if self.drop_last else samples
        made = self.epochs if epochs is None else epochs
        return schedule.rates(self.optimizer.learning_rate, made, steps, used)

    def largest_rate(self, samples: int) -> float:
        """The rate at which a training without its schedule goes on: after a warm-up not the first, but
        the first where the schedule rises to the end and beyond what any warm-up does.
        """
        rates = self.learning_rates(samples)
        if rates is None:
            return self.optimizer.learning_rate
        explodes = np.all(np.diff(rates) >= 0.0) and rates[-1] > MOST_WARMED_UP * rates[0]
        return float(rates[0] if explodes else np.max(rates))

    def network(self, weights: Array) -> Network:
        """The network whose weights lie in one row: for each layer kernel, bias, slopes of prelu."""
        layers = []
        for (rows, columns, biased), layer, places in zip(
            self.shapes, self.layers, self.places, strict=True
        ):
            kernel, bias, slopes = (weights[place] for place in places)
            activation = layer.activation
            if layer.slopes:
                activation = replace(activation, constants=tuple(map(float, slopes)))
            layers.append(
                Layer(kernel.reshape(rows, columns), bias if biased else None, activation)
            )
        return Network(tuple(layers))

    @property
    def places(self) -> tuple[tuple[slice, slice, slice], ...]:
        """Where each layer's kernel, bias and slopes lie in a row of weights; empty without one."""
        found, at = [], 0
        for (rows, columns, biased), layer in zip(self.shapes, self.layers, strict=True):
            ends = [at, *np.cumsum([rows * columns, columns * biased, layer.slopes]) + at]
            found.append(tuple(slice(int(a), int(b)) for a, b in pairwise(ends)))
            at = int(ends[-1])
        return tuple(found)


def flatten(network: Network) -> Array:
    """All weights of a network in one row, the inverse of `Recipe.network`."""
    parts = []
    for layer in network.layers:
        parts.append(layer.weight.ravel())
        if layer.bias is not None:
            parts.append(layer.bias)
        if layer.activation.name == "prelu":
            parts.append(np.asarray(layer.activation.constants))
    return np.concatenate(parts)
