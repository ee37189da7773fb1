"""How a PyTorch loss compares outputs and targets, read from autograd's graph.

Node names: torch/csrc/autograd, generated from tools/autograd/derivatives.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import (
    RESHAPES,
    ChainLayer,
    children,
    constant_of,
    is_norm_of_all,
    name_of,
    to_numpy,
)
from whyfit.adapters.torch.penalties import Penalties, alike, penalties_of, together
from whyfit.errors import Unsupported
from whyfit.records.network import Array

REDUCTIONS = {
    "MeanBackward0": "mean",
    "MeanBackward1": "mean",
    "SumBackward0": "sum",
    "SumBackward1": "sum",
}
WEIGHTED_ROOT = "sample weights under a root are not supported"
SCALED_BY_ZERO = "a loss that multiplies differences by 0 is not supported"
SEVERAL_WEIGHTS = "a loss with several sample weights is not supported"


@dataclass(frozen=True, eq=False)
class Error:
    """How outputs and targets were compared.

    `target` is the target as it went in, or None; then `difference` holds output minus target.
    `output_shape` and `target_shape` are those before any broadcasting; () where unknown. `summed` is
    the factor of the plain sum where a sum was divided by a number, which `factor` takes for a mean.
    `penalties` is what the loss adds of weights and biases. `weight` is what the losses of the samples
    are multiplied with, one number each; `by_weights` says that their sum is divided by the weights'.
    """

    loss: str
    reduction: str
    factor: float = 1.0
    constant: float = 1.0
    target: Any = None
    difference: Any = None
    output_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    summed: float | None = None
    reason: str | None = None
    penalties: Penalties = field(default_factory=dict)
    weight: Array | None = None
    by_weights: bool = False


def read_error(node: Any) -> tuple[Error, Any]:
    """How the loss compares, and the node of the outputs.

    Raises Unsupported where it compares in no known way.
    """
    factor, reduction, reason = 1.0, "mean", None
    divided: float | None = None  # the product of the numbers that the loss is divided by
    of_root: float | None = None  # what the root is multiplied with, where there is one
    penalties: Penalties = {}
    root: Any = None
    weighing: tuple[Any, Array] | None = None
    by_columns = False  # whether a reduction of the columns comes before that of all
    while True:
        dividing = name_of(node) == "DivBackward0"
        match name_of(node):
            case "MulBackward0" | "DivBackward0" if (known := constant_of(node)) is not None:
                constant, below = known
                if constant.numel() == 1:
                    divided = (divided or 1.0) * float(constant) if dividing else divided
                    factor = factor / float(constant) if dividing else factor * float(constant)
                elif weighing is not None:
                    reason = SEVERAL_WEIGHTS
                else:
                    weighing = node, to_numpy(1.0 / constant if dividing else constant)
                node = below
            case "AddBackward0":
                terms = [child for child in children(node) if child is not None]
                whole = math.prod(_shape_of(node)) == 1
                means_only = reduction == "mean" and weighing is None and not by_columns
                plain = float(node._saved_alpha) == 1.0
                node, added = _without_penalty(terms, factor)
                if added is None or not plain or (added and of_root is not None):
                    reason = "a loss of several terms is not supported"
                elif added and not (whole or means_only):
                    reason = "a penalty that is added to the losses of samples is not supported"
                else:
                    penalties = together(penalties, added)
            case name if name in REDUCTIONS and math.prod(_shape_of(node)) == 1:
                reduction = REDUCTIONS[name]
                node = children(node)[0]
            case name if name in REDUCTIONS:  # over the columns, say, before another reduction
                by_columns, over_samples = True, 0 in _reduced_dimensions(node)
                if weighing is not None and over_samples:
                    reason = "weights of columns are not supported"
                if REDUCTIONS[name] != reduction and over_samples:
                    # Then what was reduced above are the columns, of which there are always as many.
                    columns = math.prod(_shape_of(node))
                    factor *= 1.0 / columns if reduction == "mean" else columns
                    reduction = REDUCTIONS[name]
                elif REDUCTIONS[name] != reduction:
                    count = math.prod(node._saved_self_sym_sizes) / math.prod(_shape_of(node))
                    factor *= count if reduction == "mean" else 1.0 / count
                node = children(node)[0]
            case "SqrtBackward0" | "PowBackward0" if _is_root(node):
                if of_root is not None or not _of_one_number(node):
                    reason = "a root of single errors is not supported"
                of_root, factor, divided, root = factor, 1.0, None, node
                node = children(node)[0]
            case "LinalgVectorNormBackward0" if is_norm_of_all(node, 2.0):
                if of_root is not None:
                    reason = "the root of a norm is not supported"
                of_root, factor, divided, reduction = factor, 1.0, None, "sum"
                break
            case _ if name_of(node) in RESHAPES:
                node = children(node)[0]
            case _:
                break
    error, output = _elementwise(node, reduction)
    if weighing is not None and reason is None:
        shape = tuple((error.difference if error.target is None else error.target).shape)
        reason = _why_not_weights(*weighing, shape)
        reason = SEVERAL_WEIGHTS if error.weight is not None else reason
        error = _replaced(error, weight=None if reason else weighing[1].ravel())
    if error.weight is not None and of_root is not None:
        reason = reason or WEIGHTED_ROOT
    if divided is not None and error.reduction == "sum":
        # A sum divided by a count is a mean, times what the count leaves over.
        error, count = _as_mean(error, divided, factor)
        factor *= count
    error = _replaced(error, factor=error.factor * factor, reason=reason, penalties=penalties)
    if root is not None and not reason and error.loss == "mse" and _adds_to_mean(root, node, error):
        error = _replaced(error, reason="a number that is added under a root is not supported")
    return (error if of_root is None else _root(error, of_root)), output


def _shape_of(node: Any) -> tuple[int, ...]:
    """The shape of what an operation gave."""
    return tuple(node._input_metadata[0].shape)


def _reduced_dimensions(node: Any) -> set[int]:
    """Dimensions that a sum or mean reduces, counted from the first."""
    count = len(node._saved_self_sym_sizes)
    # Autograd gives -1 as an unsigned number.
    signed = (each - 2**64 if each >= 2**63 else each for each in node._saved_dim)
    return {each % count for each in signed}


def _why_not_weights(node: Any, weights: Array, compared: tuple[int, ...]) -> str | None:
    """Why what a product multiplies losses with, where so many are `compared`, is not one number a
    sample, or None.
    """
    weighed = _shape_of(next(child for child in children(node) if child is not None)) or (1,)
    samples = compared[0] if compared else 1
    if weights.ndim == len(weighed) and weights.shape[0] == weighed[0] == samples == weights.size:
        return None
    return f"weights of shape {weights.shape} for losses of shape {weighed} are not supported"


def _without_penalty(terms: list[Any], factor: float) -> tuple[Any, Penalties | None]:
    """The one term that is no penalty, and the penalties; None where there are several such terms.

    A number that is added moves nothing.
    """
    found = [(term, penalties_of(term, factor)) for term in terms]
    errors = [term for term, added in found if added is None]
    if len(errors) != 1:
        return terms[0], None
    penalties: Penalties = {}
    for _term, added in found:
        penalties = together(penalties, added or {})
    return errors[0], penalties


def _root(error: Error, factor: float) -> Error:
    """`factor` times the root of a mean or sum of squares."""
    if error.loss != "mse":
        return _replaced(error, reason=error.reason or f"the root of {error.loss} is not supported")
    summed = None if error.summed is None else factor * math.sqrt(error.summed)
    return _replaced(error, loss="rmse", factor=factor * math.sqrt(error.factor), summed=summed)


def common(first: Error, other: Error) -> Error | None:
    """The one way of comparing that explains two steps, or None.

    A sum divided by the same number in batches of different sizes is no mean.
    """
    if (first.loss, first.constant) != (other.loss, other.constant):
        return None
    if not alike(first.penalties, other.penalties):
        return None
    if (first.weight is None) != (other.weight is None) or first.by_weights != other.by_weights:
        return None
    if first.reduction == other.reduction and _close(first.factor, other.factor):
        return first
    if first.summed and other.summed and _close(first.summed, other.summed):
        return _replaced(first, reduction="sum", factor=first.summed)
    return None


def loss_between(error: Error, outputs: Array, targets: Array) -> float:
    """The same comparison between other outputs and targets, both (samples, columns)."""
    away = np.abs(outputs - targets)
    match error.loss:
        case "mae":
            each = away
        case "huber":
            delta = error.constant
            each = np.where(away <= delta, 0.5 * away**2, delta * (away - 0.5 * delta))
        case _:
            each = away**2
    found = float(each.sum() if error.reduction == "sum" else each.mean())
    return error.factor * (math.sqrt(found) if error.loss == "rmse" else found)


CLOSE = 1e-6
"""Relative difference of two factors that rounding in float32 leaves."""

SUMS_CLOSE = 1e-5
"""Relative difference of two sums of some thousand numbers, one of them in float32."""


def _close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=CLOSE)


def _replaced(error: Error, **fields: Any) -> Error:
    return Error(**{**error.__dict__, **fields})


def _as_mean(error: Error, divided: float, factor: float) -> tuple[Error, float]:
    """A sum that is divided by a number as a mean, and what `factor` is to be multiplied with."""
    data = error.difference if error.target is None else error.target
    samples = 0 if error.weight is None else len(error.weight)
    if (
        error.weight is not None
        and math.isclose(divided, error.weight.sum(), rel_tol=SUMS_CLOSE)
        and not math.isclose(divided, samples, rel_tol=SUMS_CLOSE)  # plainly a mean, too
    ):
        columns = data.numel() / len(error.weight)
        return _replaced(error, reduction="mean", by_weights=True), divided * columns
    summed = error.factor * factor
    return _replaced(error, reduction="mean", summed=summed), float(data.numel())


ADDED = 1e-3
"""Share of the mean square that a number added under the root may be at the first step: it then counts
where a thousandth of that is left."""


def _adds_to_mean(root: Any, node: Any, error: Error) -> bool:
    """Whether more stands under the root than the mean or sum of squares, by what came of it."""
    if name_of(root) != "SqrtBackward0":
        whole = root._saved_self.item()
    else:
        whole = root._saved_result.item() ** 2
    if error.target is not None:
        difference = node._saved_self.detach() - error.target
    else:
        difference = error.difference
    squares = difference.double() ** 2
    found = float(squares.sum() if error.reduction == "sum" else squares.mean()) * error.factor
    return abs(whole - found) > ADDED * max(whole, found)


def _of_one_number(node: Any) -> bool:
    saved = node._saved_result if name_of(node) == "SqrtBackward0" else node._saved_self
    return bool(saved.numel() == 1)


def _is_root(node: Any) -> bool:
    return name_of(node) == "SqrtBackward0" or float(node._saved_exponent) == 0.5


def _elementwise(node: Any, outer: str) -> tuple[Error, Any]:
    name = name_of(node)
    if name in ("MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"):
        return _fused(node, name, outer)
    match name:
        case "PowBackward0" if float(node._saved_exponent) == 2.0:
            loss, difference = "mse", node._saved_self
        case "LinalgVectorNormBackward0" if is_norm_of_all(node, 2.0):
            loss, difference = "mse", node._saved_self
        case "AbsBackward0":
            loss, difference = "mae", node._saved_self
        case "MulBackward0" if children(node)[0] is children(node)[1]:
            loss, difference = "mse", node._saved_self
        case _:
            raise Unsupported(f"a loss with {name_of(node).split('Backward')[0]} is not supported")
    inner, factor, weight = children(node)[0], 1.0, None
    if name_of(inner) in ("MulBackward0", "DivBackward0") and (known := constant_of(inner)):
        scale, below = known
        scale = 1.0 / scale if name_of(inner) == "DivBackward0" else scale
        if not bool((scale != 0.0).all()):
            raise Unsupported(SCALED_BY_ZERO)
        outside = to_numpy(scale) ** 2 if loss == "mse" else np.abs(to_numpy(scale))
        if scale.numel() == 1:
            factor = float(outside.item())
        elif reason := _why_not_weights(inner, outside, tuple(difference.shape)):
            raise Unsupported(reason)
        else:
            weight = outside.ravel()
        difference, inner = difference / scale, below
    if name_of(inner) != "SubBackward0":
        raise Unsupported("a loss that is no difference of outputs and targets is not supported")
    left, right = children(inner)
    if (left is None) == (right is None):
        raise Unsupported("a loss without a fixed target is not supported")
    if left is None:  # target minus output
        difference = -difference
    difference = difference.detach()
    return Error(loss, outer, factor, difference=difference, weight=weight), left or right


def _fused(node: Any, name: str, outer: str) -> tuple[Error, Any]:
    loss, constant, factor = "mse", 1.0, 1.0
    if name == "HuberLossBackward0":
        loss, constant = "huber", float(node._saved_delta)
    elif name == "SmoothL1LossBackward0":
        # smooth_l1_loss(beta) is huber_loss(beta) / beta (torch/nn/functional.py)
        loss, constant = "huber", float(node._saved_beta)
        factor = 1.0 / constant
    reduction = (outer, "mean", "sum")[int(node._saved_reduction)]
    output = children(node)[0]
    if output is None or children(node)[1] is not None:
        raise Unsupported("a loss without a fixed target is not supported")
    return Error(loss, reduction, factor, constant, target=node._saved_target), output


def with_shapes(error: Error, layers: tuple[ChainLayer, ...], x: Any, output: Any) -> Error:
    """The shapes at the loss call, before broadcasting."""
    samples, units = len(x), layers[-1].kernel().shape[1]
    compared = tuple((error.difference if error.target is None else error.target).shape)
    if int(np.prod(compared)) == samples * units:
        plain = compared if compared[:1] == (samples,) else (samples, units)
        return _replaced(error, output_shape=plain, target_shape=plain)
    node, shape = output, (samples,) if layers[-1].flat else (samples, units)
    while name_of(node) in RESHAPES:
        if name_of(node) not in ("ExpandBackward0", "CloneBackward0", "UnsqueezeBackward0"):
            shape = (samples,) if units == 1 else shape
        node = children(node)[0]
    target = compared
    if len(compared) == 2:
        # Outputs and targets were spread against each other, one along rows, one along columns.
        target = (compared[1],) if shape == (samples, 1) else (compared[0], 1)
    return _replaced(error, output_shape=shape, target_shape=target)


ROUNDED = 2.0**-20
"""Share of the outputs below which their float32 differences to a target cannot tell it from 0."""


def targets_of(error: Error, samples: int, outputs: Callable[[], Array] | None) -> Array | None:
    """The targets of one step as (samples, columns), or None if they are not so many."""
    broadcast = error.output_shape != error.target_shape and len(error.target_shape) > 0
    if error.target is not None:
        values = to_numpy(error.target)
    else:
        assert outputs is not None  # _batch asks
        made, difference = outputs(), to_numpy(error.difference)
        aligned = made.reshape(error.output_shape) if broadcast else made
        if not broadcast and difference.size != made.size:
            return None
        values = aligned - (difference if broadcast else difference.reshape(made.shape))
        values = np.where(np.abs(values) <= ROUNDED * np.max(np.abs(aligned)), 0.0, values)
    if broadcast and values.ndim == 2:
        values = values[0] if len(error.target_shape) == 1 else values[:, 0]
        return values.reshape(len(values), -1)
    return values.reshape(samples, -1) if values.size % samples == 0 else None
