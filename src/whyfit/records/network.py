"""A dense network as numbers: layers of weights and the function each applies.

The forward pass here is the plain numpy one, in float64 unless the weights say otherwise. It is what
measurements and reports use; the engine and the frameworks are compared with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

Array = np.ndarray


@dataclass(frozen=True)
class Activation:
    """A named function from pre-activation to output, the same for all units of a layer.

    `constants` are the function's own parameters, in the order of `FUNCTIONS`; empty means the
    defaults of Keras. Those of `prelu` are its slopes, one for each unit or one for all.
    """

    name: str
    constants: tuple[float, ...] = ()

    def __call__(self, z: Array) -> Array:
        """f(z), elementwise and of the same shape."""
        function = FUNCTIONS[self.name]
        return function.value(z, *(self.constants or function.defaults))

    @property
    def range(self) -> tuple[float, float]:
        """Infimum and supremum of the output."""
        if self.name == "bounded_relu":
            slope, most, _threshold = self.constants or FUNCTIONS[self.name].defaults
            return (-np.inf if slope > 0.0 else 0.0, most)
        return FUNCTIONS[self.name].range

    @property
    def saturates(self) -> bool:
        """Whether the output approaches a bound on both sides, so that the slope vanishes there."""
        return self.name not in ("sine", "softmax") and bool(np.all(np.isfinite(self.range)))

    @property
    def piecewise_linear(self) -> bool:
        """Whether a network built from it is piecewise linear, with bends where z crosses zero."""
        return self.name in ("linear", "relu", "leaky_relu", "prelu")

    @property
    def dies(self) -> bool:
        """Whether the slope is exactly zero for all z < 0, so that a unit can be off for good."""
        return self.name in ("relu", "relu6")


@dataclass(frozen=True)
class _Function:
    value: Callable[..., Array]
    range: tuple[float, float] = (-np.inf, np.inf)
    defaults: tuple[float, ...] = ()


# keras/src/activations/activations.py (selu's constants: Klambauer and others 2017).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _bounded_relu(z: Array, slope: float, most: float, threshold: float) -> Array:
    # keras/src/activations/activations.py, class ReLU
    return np.where(z >= threshold, np.minimum(z, most), slope * (z - threshold))


def _softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


def _gelu_tanh(z: Array) -> Array:
    return 0.5 * z * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (z + 0.044715 * z**3)))


FUNCTIONS: dict[str, _Function] = {
    "linear": _Function(lambda z: z),
    "relu": _Function(lambda z: np.maximum(z, 0.0), range=(0.0, np.inf)),
    "leaky_relu": _Function(lambda z, slope: np.where(z < 0, slope * z, z), defaults=(0.2,)),
    "elu": _Function(
        lambda z, alpha: np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0))),
        range=(-1.0, np.inf),
        defaults=(1.0,),
    ),
    "tanh": _Function(np.tanh, range=(-1.0, 1.0)),
    "sigmoid": _Function(special.expit, range=(0.0, 1.0)),
    # constants: slope below the threshold, largest output, threshold
    "bounded_relu": _Function(_bounded_relu, defaults=(0.0, np.inf, 0.0)),
    "relu6": _Function(lambda z: np.clip(z, 0.0, 6.0), range=(0.0, 6.0)),
    "prelu": _Function(
        lambda z, *slopes: np.where(z < 0, np.asarray(slopes) * z, z), defaults=(0.0,)
    ),
    "selu": _Function(
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0.0))),
        range=(-SELU_SCALE * SELU_ALPHA, np.inf),
    ),
    "gelu": _Function(lambda z: z * special.ndtr(z), range=(-0.16997120747, np.inf)),
    "gelu_tanh": _Function(_gelu_tanh, range=(-0.17004075057, np.inf)),
    "silu": _Function(lambda z: z * special.expit(z), range=(-0.27846454276, np.inf)),
    "mish": _Function(lambda z: z * np.tanh(_softplus(z)), range=(-0.30884287193, np.inf)),
    "softplus": _Function(_softplus, range=(0.0, np.inf)),
    "softsign": _Function(lambda z: z / (1.0 + np.abs(z)), range=(-1.0, 1.0)),
    "hard_sigmoid": _Function(lambda z: np.clip(z / 6.0 + 0.5, 0.0, 1.0), range=(0.0, 1.0)),
    "hard_tanh": _Function(lambda z: np.clip(z, -1.0, 1.0), range=(-1.0, 1.0)),
    "exponential": _Function(np.exp, range=(0.0, np.inf)),
    "sine": _Function(np.sin, range=(-1.0, 1.0)),
    "softmax": _Function(lambda z: special.softmax(z, axis=-1), range=(0.0, 1.0)),
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One dense layer: f(x W + b)."""

    weight: Float[Array, "inputs units"]
    bias: Float[Array, units] | None
    activation: Activation

    def pre_activation(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples units"]:
        """Weighted sum x W + b, before the function is applied. One that diverged is no surprise."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = x @ self.weight
            return z if self.bias is None else z + self.bias


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers in order; the last one is the output."""

    layers: tuple[Layer, ...]

    def __call__(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples outputs"]:
        """Predictions."""
        for layer in self.layers:
            x = layer.activation(layer.pre_activation(x))
        return x

    def traced(
        self, x: Float[Array, "samples inputs"]
    ) -> list[tuple[Float[Array, "samples units"], Float[Array, "samples units"]]]:
        """Pre-activation and output of every layer, first to last."""
        trace = []
        for layer in self.layers:
            z = layer.pre_activation(x)
            x = layer.activation(z)
            trace.append((z, x))
        return trace

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.layers[0].weight.shape[0]

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.layers[-1].weight.shape[1]

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """All layers but the last."""
        return self.layers[:-1]
