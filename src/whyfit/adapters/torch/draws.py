"""How the start weights of a PyTorch network were drawn.

Initializers: torch/nn/init.py and torch/nn/modules/linear.py.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import to_numpy
from whyfit.records.recipe import Initializer

UNKNOWN = Initializer("unknown")

MOST_PLAIN, LARGEST_PLAIN = 200, 100_000
"""Tensors of a script's own drawing that are kept, and their size, to know them again when stretched."""


@dataclass(frozen=True)
class Drawn:
    """A call that filled a tensor: its function and its constants."""

    function: str
    constants: Mapping[str, float | str]


def digest(tensor: Any) -> bytes:
    """A fingerprint of a tensor's numbers in float32, so that a change of precision keeps it."""
    content = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32).tobytes()
    return hashlib.blake2b(content, digest_size=16).digest()


class Draws:
    """Which tensors were filled with random numbers, and how.

    A script's own `0.1 * torch.randn(1, 10)` is known again by its numbers: they are the drawn ones,
    stretched and shifted.
    """

    def __init__(self) -> None:
        self._filled: dict[bytes, Drawn] = {}
        self._plain: list[tuple[np.ndarray, Drawn]] = []

    def note(self, tensor: Any, drawn: Drawn) -> None:
        """A function of PyTorch's has filled a tensor."""
        self._filled[digest(tensor)] = drawn

    def note_plain(self, tensor: Any, drawn: Drawn) -> None:
        """The script has drawn numbers that may become weights."""
        if len(self._plain) < MOST_PLAIN and 1 < tensor.numel() <= LARGEST_PLAIN:
            self._plain.append((to_numpy(tensor).ravel(), drawn))
        self._filled[digest(tensor)] = drawn

    def of(self, tensor: Any) -> Drawn | None:
        """How a tensor's numbers were drawn, or None if that was not seen."""
        known = self._filled.get(digest(tensor))
        if known is not None or not self._plain or tensor.numel() < 2:
            return known
        values = to_numpy(tensor).ravel()
        for plain, drawn in self._plain:
            if plain.size == values.size and (made := _stretched(plain, values, drawn)) is not None:
                return made
        return None


def _stretched(plain: np.ndarray, values: np.ndarray, drawn: Drawn) -> Drawn | None:
    """The draw of numbers a * plain + b, or None if values are nothing of that kind.

    Two numbers always lie on some line, so of two only b = 0 is believed.
    """
    if np.ptp(values) == 0.0:
        return None
    scale = float(plain @ values) / float(plain @ plain)
    offset = 0.0
    tolerance = 1e-5 * float(np.max(np.abs(values)))
    if np.max(np.abs(scale * plain - values)) > tolerance:
        if values.size < 3 or np.ptp(plain) == 0.0:
            return None
        scale, offset = (float(each) for each in np.polyfit(plain, values, 1))
        if np.max(np.abs(scale * plain + offset - values)) > tolerance:
            return None
    scale, offset = (
        float(f"{scale:.5g}"),
        float(f"{offset:.5g}") if abs(offset) > tolerance else 0.0,
    )
    if drawn.function == "normal_":
        return Drawn("normal_", {"mean": offset, "std": abs(scale)})
    low, high = sorted((offset, offset + scale))
    return Drawn("uniform_", {"a": low, "b": high})


def initializer(values: Any, drawn: Drawn | None, fans: tuple[int, int], bias: bool) -> Initializer:
    """The distribution that a weight came from; `fans` are the layer's inputs and units.

    Name "unknown" where the script set the weights by other means.
    """
    if drawn is not None:
        made = _INITIALIZERS.get(drawn.function)
        return made(drawn.constants, fans, bias) if made else UNKNOWN
    numbers = to_numpy(values)
    if not np.all(numbers == numbers.flat[0]):
        return UNKNOWN
    value = float(np.float32(numbers.flat[0]))
    named = {0.0: "zeros", 1.0: "ones"}.get(value)
    return Initializer(named) if named else Initializer("constant", value=short(value))


def short(value: float) -> float:
    """0.1 for the float32 nearest to it."""
    return float(str(np.float32(value)))


def _uniform(constants: Mapping[str, Any], fans: tuple[int, int], _bias: bool) -> Initializer:
    low, high = float(constants.get("a", 0.0)), float(constants.get("b", 1.0))
    bound = 1.0 / math.sqrt(max(1, fans[0]))
    if math.isclose(high, bound, rel_tol=1e-6) and math.isclose(low, -bound, rel_tol=1e-6):
        return Initializer("torch_uniform")
    return Initializer("random_uniform", minval=low, maxval=high)


def _normal(constants: Mapping[str, Any], _fans: tuple[int, int], _bias: bool) -> Initializer:
    return Initializer(
        "random_normal",
        mean=float(constants.get("mean", 0.0)),
        stddev=float(constants.get("std", 1.0)),
    )


def _truncated(constants: Mapping[str, Any], fans: tuple[int, int], bias: bool) -> Initializer:
    """trunc_normal_ cuts at the numbers a and b, not at deviations: nothing is cut if std is small."""
    deviation = float(constants.get("std", 1.0))
    mean = float(constants.get("mean", 0.0))
    low, high = float(constants.get("a", -2.0)), float(constants.get("b", 2.0))
    if min(mean - low, high - mean) >= 4.0 * deviation:
        return _normal(constants, fans, bias)
    if (mean - low, high - mean) == (2.0 * deviation, 2.0 * deviation):
        return Initializer("truncated_normal", mean=mean, stddev=deviation)
    return UNKNOWN


def _xavier(distribution: str) -> Callable[..., Initializer]:
    def made(constants: Mapping[str, Any], _fans: tuple[int, int], _bias: bool) -> Initializer:
        gain = float(constants.get("gain", 1.0))
        if gain == 1.0 and distribution == "uniform":
            return Initializer("glorot_uniform")
        return _scaled(gain**2, "fan_avg", distribution)

    return made


def _kaiming(distribution: str) -> Callable[..., Initializer]:
    def made(constants: Mapping[str, Any], _fans: tuple[int, int], _bias: bool) -> Initializer:
        mode = str(constants.get("mode", "fan_in"))
        square = _gain_square(
            str(constants.get("nonlinearity", "leaky_relu")), float(constants.get("a", 0.0))
        )
        if distribution == "uniform" and mode == "fan_in":
            if math.isclose(square, 1.0 / 3.0):
                return Initializer("torch_uniform")
            if square == 2.0:
                return Initializer("he_uniform")
        return _scaled(square, mode, distribution)

    return made


def _gain_square(nonlinearity: str, a: float) -> float:
    """Square of torch.nn.init.calculate_gain, for a leaky ReLU of slope `a`."""
    match nonlinearity:
        case "relu":
            return 2.0
        case "leaky_relu":
            return 2.0 / (1.0 + a * a)
        case "tanh":
            return (5.0 / 3.0) ** 2
        case "selu":
            return 9.0 / 16.0
        case _:
            return 1.0


def _scaled(scale: float, mode: str, distribution: str) -> Initializer:
    return Initializer("variance_scaling", scale=scale, mode=mode, distribution=distribution)


_INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    "uniform_": _uniform,
    "normal_": _normal,
    "trunc_normal_": _truncated,
    "xavier_uniform_": _xavier("uniform"),
    "xavier_normal_": _xavier("untruncated_normal"),
    "kaiming_uniform_": _kaiming("uniform"),
    "kaiming_normal_": _kaiming("untruncated_normal"),
    "orthogonal_": lambda constants, _fans, _bias: Initializer(
        "orthogonal", gain=float(constants.get("gain", 1.0))
    ),
    "eye_": lambda _constants, _fans, _bias: Initializer("identity"),
}
