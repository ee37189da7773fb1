"""The data of a call of Keras's `fit`, as Keras trains on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.adapters.weights import why_not_weighted
from whyfit.errors import Unsupported
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array


def _nothing() -> Array:
    return np.zeros((0, 1))


@dataclass(frozen=True)
class Taken:
    """A copy of x and y, two-dimensional, without the samples that a validation split holds out.

    `weight` is what the losses of the samples are multiplied with, by `sample_weight` or `class_weight`.

    `reason` says why they cannot be trained on again; without `ready` there is nothing to tell of at
    all. `validation` is what Keras validates on, in whatever form.
    """

    x: Array = field(default_factory=_nothing)
    y: Array = field(default_factory=_nothing)
    x_shape: tuple[int, ...] = ()
    y_shape: tuple[int, ...] = ()
    validation: Any = None
    reason: str | None = None
    ready: bool = False
    weight: Array | None = None


def taken(given: Mapping[str, Any]) -> Taken:
    """The data in the arguments of `fit`, or why there are none."""
    x, y = given.get("x"), given.get("y")
    if x is None or y is None or not is_array(x) or not is_array(y):
        kind = type(x).__name__
        return Taken(reason=f"data of type {kind} is not supported; pass x and y to fit as arrays")
    x, y = np.asarray(x), np.asarray(y)
    for name, data in (("x", x), ("y", y)):
        if not (np.issubdtype(data.dtype, np.number) or data.dtype == bool):
            return Taken(reason=f"{name} of type {data.dtype} is not supported")
    shapes = x.shape, y.shape
    if len(x) == 0 or len(x) != len(y):
        return Taken(
            x_shape=shapes[0],
            y_shape=shapes[1],
            reason=f"x has {len(x)} samples and y has {len(y)}",
        )
    weight, weight_reason = _sample_weight(given.get("sample_weight"), len(x))
    validation = given.get("validation_data")
    share = float(given.get("validation_split") or 0.0)
    if share and validation is None:
        kept = int(np.floor(len(x) * (1.0 - share)))
        validation = (x[kept:], y[kept:], None if weight is None else weight[kept:])
        x, y, weight = x[:kept], y[:kept], None if weight is None else weight[:kept]
    if given.get("class_weight") is not None:
        weight, weight_reason = weights_of_classes(y, given["class_weight"])
    x, y = (np.array(each, dtype=np.float64).reshape(len(each), -1) for each in (x, y))
    reason, hopeless = _reason(given, shapes[0], x, y)
    reason = reason or weight_reason or why_not_weighted(weight)
    usable = None if weight_reason or why_not_weighted(weight) else weight
    return Taken(x, y, *shapes, validation, reason, not hopeless, usable)


def _sample_weight(given: Any, samples: int) -> tuple[Array | None, str | None]:
    """`sample_weight` as float64, one number a sample, or why it is not that."""
    if given is None:
        return None, None
    if not is_array(given):
        return None, f"sample_weight of type {type(given).__name__} is not supported"
    weight = np.asarray(given)
    if weight.shape not in ((samples,), (samples, 1)) or weight.dtype == object:
        return None, f"sample_weight of shape {weight.shape} is not supported"
    return np.array(weight, dtype=np.float64).ravel(), None


def weights_of_classes(y: Array, class_weight: Any) -> tuple[Array | None, str | None]:
    """`class_weight` as one number a sample, by Keras's own function, or why it cannot be had."""
    try:
        from keras.src.trainers.data_adapters import data_adapter_utils

        weight = data_adapter_utils.class_weight_to_sample_weights(y, class_weight)
    except Exception:  # not ours to say: Keras will, in its own words
        return None, "class_weight is not supported"
    return np.asarray(weight, dtype=np.float64), None


def _reason(
    given: Mapping[str, Any], x_shape: tuple[int, ...], x: Array, y: Array
) -> tuple[str | None, bool]:
    """Why these data cannot be trained on again, and whether they hold no number at all."""
    reason, hopeless = None, False
    if given.get("steps_per_epoch") is not None:
        reason = "steps_per_epoch is not supported"
    if len(x_shape) > 2:
        reason = reason or f"x of shape {x_shape} is not supported"
    for name, data in (("x", x), ("y", y)):
        bad = int(np.sum(~np.isfinite(data)))
        if bad:
            what = (
                "value that is not a finite number"
                if bad == 1
                else "values that are not finite numbers"
            )
            reason = f"{name} holds {bad} {what}; remove or fill them before fit"
        hopeless |= bad == data.size
    return reason, hopeless


def held_out_of(given: Mapping[str, Any], data: Taken) -> HeldOut:
    """The validation data as arrays. Raises Unsupported where the engine could not go by them."""
    parts = data.validation
    if not isinstance(parts, (list, tuple)) or not all(is_array(each) for each in parts[:2]):
        kind = type(parts).__name__
        raise Unsupported(
            f"validation_data of type {kind}, by which training goes, is not supported"
        )
    if len(parts) > 2 and parts[2] is not None:
        raise Unsupported("weighted validation data, by which training goes, are not supported")
    for name, usual in (("validation_freq", 1), ("validation_steps", None)):
        if given.get(name, usual) != usual:
            raise Unsupported(f"{name} beside callbacks that watch val_loss is not supported")
    x, y = (np.array(each, dtype=np.float64).reshape(len(each), -1) for each in parts[:2])
    widths = (x.shape[1], y.shape[1])
    if widths != (data.x.shape[1], data.y.shape[1]) or len(x) != len(y) or not len(x):
        raise Unsupported(f"validation data of shapes {x.shape} and {y.shape} are not supported")
    return HeldOut(x, y)


def is_data_set(given: Mapping[str, Any]) -> bool:
    """Whether x of a call of `fit` gives batches: a generator, a PyDataset, a DataLoader, a tf.data set.

    What goes through TensorFlow's compiled loop cannot be seen from outside.
    """
    import keras

    x = given.get("x")
    gives = given.get("y") is None and x is not None and not is_array(x)
    return (
        gives
        and keras.backend.backend() in ("jax", "torch")
        and not isinstance(x, (dict, list, tuple))
        and (hasattr(x, "__iter__") or hasattr(x, "__getitem__"))
    )


def is_array(data: Any) -> bool:
    """Numpy arrays, lists of numbers, and tensors that turn into arrays; not data sets or dicts."""
    if isinstance(data, np.ndarray):
        return True
    if isinstance(data, (list, tuple)):
        return not data or not hasattr(data[0], "shape") or np.ndim(data[0]) == 0
    return hasattr(data, "__array__") and hasattr(data, "shape")
