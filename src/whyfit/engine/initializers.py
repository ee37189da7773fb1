"""Start weights: the initializers of Keras, PyTorch and scikit-learn, drawn from counters.

A weight's random number is a function of (seed, replicate, layer, row, column) alone. So replicate k
starts from the same numbers in every arm: a wider layer contains the narrower one, and changing the
distribution keeps each weight's rank (`he_normal` and `random_uniform` agree on every sign). That
pairing is what makes differences between arms sharp.

Formulas: keras/src/initializers/random_initializers.py and constant_initializers.py.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import special

from whyfit.records.network import Array
from whyfit.records.recipe import (
    FANS_OF_LAYER,
    TRUNCATED_STDDEV,
    VARIANCE_SCALING,
    Initializer,
    Recipe,
    fan,
)

Key = Array | np.uint64

SUPPORTED = frozenset(
    {
        "zeros",
        "ones",
        "constant",
        "identity",
        "random_uniform",
        "random_normal",
        "truncated_normal",
        "variance_scaling",
        "orthogonal",
        *VARIANCE_SCALING,
    }
)


def draw(
    recipe: Recipe, seed: int, first: int, count: int
) -> Float[Array, "replicates parameters"]:
    """Start weights of replicates `first` to `first + count - 1`, one row each, as float64.

    >>> from whyfit.records.recipe import DenseLayer, Optimizer
    >>> recipe = Recipe(1, (DenseLayer(2),), "mse", Optimizer("sgd", 0.1), 32, 1)
    >>> draw(recipe, seed=0, first=5, count=2).shape
    (2, 4)
    """
    replicates = np.arange(first, first + count, dtype=np.uint64)
    parts = []
    for index, (layer, (rows, columns, biased)) in enumerate(
        zip(recipe.layers, recipe.shapes, strict=True)
    ):
        kernel_key = _mix(np.uint64(seed) ^ _mix(np.uint64(2 * index + 1)))
        shape = (rows, columns)
        parts.append(_values(layer.kernel_initializer, kernel_key, replicates, shape, shape))
        if biased:
            bias_key = _mix(np.uint64(seed) ^ _mix(np.uint64(2 * index + 2)))
            parts.append(
                _values(
                    layer.bias_initializer,
                    bias_key,
                    replicates,
                    (1, columns),
                    _bias_fans(layer.bias_initializer, shape),
                )
            )
        if layer.slopes:
            key = _mix(np.uint64(seed) ^ _mix(np.uint64(2**32 + index)))
            fans = (layer.slopes, layer.slopes)
            shape = (1, layer.slopes)
            parts.append(_values(layer.slope_initializer, key, replicates, shape, fans))
    return np.concatenate(parts, axis=1)


def _bias_fans(initializer: Initializer, kernel: tuple[int, int]) -> tuple[int, int]:
    """Keras's compute_fans: a vector of n has fan_in = fan_out = n."""
    return kernel if initializer.name in FANS_OF_LAYER else (kernel[1], kernel[1])


def _values(
    initializer: Initializer,
    key: Key,
    replicates: Array,
    shape: tuple[int, int],
    fans: tuple[int, int],
) -> Array:
    rows, columns = shape
    count = len(replicates)
    match initializer.name:
        case "zeros":
            return np.zeros((count, rows * columns))
        case "ones":
            return np.ones((count, rows * columns))
        case "constant":
            return np.full((count, rows * columns), initializer.value)
        case "identity":
            return np.tile(initializer.gain * np.eye(rows, columns).ravel(), (count, 1))
        case _:
            pass
    uniform = _uniform(key, replicates, rows, columns)
    match initializer.name:
        case "random_uniform":
            low, high = initializer.minval, initializer.maxval
            values = low + (high - low) * uniform
        case "random_normal":
            values = initializer.mean + initializer.stddev * special.ndtri(uniform)
        case "truncated_normal":
            values = initializer.mean + initializer.stddev * _truncated_normal(uniform)
        case "orthogonal":
            values = initializer.gain * _orthogonal(special.ndtri(uniform))
        case _:
            values = _variance_scaling(initializer, uniform, fans)
    return values.reshape(count, rows * columns)


def _variance_scaling(initializer: Initializer, uniform: Array, fans: tuple[int, int]) -> Array:
    scale, mode, distribution = initializer.scaling
    variance = scale / fan(mode, *fans)
    if distribution == "uniform":
        return np.sqrt(3.0 * variance) * (2.0 * uniform - 1.0)
    if distribution == "untruncated_normal":
        return np.sqrt(variance) * special.ndtri(uniform)
    return np.sqrt(variance) / TRUNCATED_STDDEV * _truncated_normal(uniform)


def _truncated_normal(uniform: Array) -> Array:
    """Standard normal cut at two standard deviations, by inversion."""
    low, high = special.ndtr(-2.0), special.ndtr(2.0)
    return special.ndtri(low + (high - low) * uniform)


def _orthogonal(normal: Array) -> Array:
    """Q of the QR decomposition, with the signs of R's diagonal, as Keras has it."""
    _count, rows, columns = normal.shape
    tall = normal if rows >= columns else np.swapaxes(normal, 1, 2)
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return q if rows >= columns else np.swapaxes(q, 1, 2)


def _uniform(key: Key, replicates: Array, rows: int, columns: int) -> Array:
    """Numbers in (0, 1), shape (replicates, rows, columns), each a hash of its own place."""
    place = (np.arange(rows, dtype=np.uint64)[:, None] << np.uint64(32)) | np.arange(
        columns, dtype=np.uint64
    )
    keyed = np.asarray(_mix(key ^ replicates))[:, None, None]
    bits = np.asarray(_mix(keyed ^ np.asarray(_mix(place))[None]))
    # 53 bits, centred in their cell, so that neither 0 nor 1 can come out.
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _mix(value: Key) -> Key:
    """SplitMix64's finalizer (Steele, Lea, Flood 2014), elementwise on uint64."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
