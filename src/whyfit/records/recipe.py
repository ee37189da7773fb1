"""A recipe: everything needed to train a network again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whyfit.records.network import Activation, Array, Layer, Network

VARIANCE_SCALING = {
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
    "lecun_uniform": (1.0, "fan_in", "uniform"),
    "lecun_normal": (1.0, "fan_in", "truncated_normal"),
}
"""Scale, mode and distribution of the named initializers (Keras's random_initializers.py)."""

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
class DenseLayer:
    """What a dense layer is before it has weights."""

    units: int
    activation: Activation = LINEAR
    use_bias: bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS


@dataclass(frozen=True)
class Optimizer:
    """Update rule with its constants, in the framework's own form.

    `name` is one of `sgd`, `rmsprop`, `adam`; `learning_rate` is per step.
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


@dataclass(frozen=True)
class Recipe:
    """Everything needed to train a network again, given the data as passed to `fit`.

    Lengths: `epochs` passes over the data, `batch_size` samples a step (the last batch of an epoch
    may be short), a fresh order every epoch if `shuffle`.
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

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(rows * columns + columns * biased for rows, columns, biased in self.shapes)

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
        """Optimizer steps of a whole training."""
        return self.epochs * -(-samples // self.batch_size)

    def network(self, weights: Array) -> Network:
        """The network whose weights lie in one row: kernel, bias, kernel, bias, ..."""
        layers, at = [], 0
        for (rows, columns, biased), layer in zip(self.shapes, self.layers, strict=True):
            kernel = weights[at : at + rows * columns].reshape(rows, columns)
            at += rows * columns
            bias = weights[at : at + columns] if biased else None
            at += columns * biased
            layers.append(Layer(kernel, bias, layer.activation))
        return Network(tuple(layers))


def flatten(network: Network) -> Array:
    """All weights of a network in one row, the inverse of `Recipe.network`."""
    parts = []
    for layer in network.layers:
        parts.append(layer.weight.ravel())
        if layer.bias is not None:
            parts.append(layer.bias)
    return np.concatenate(parts)
