"""A PyTorch loss, taken apart: error, data and network, as autograd recorded them.

When `backward` is called the graph below the loss still holds all that made it: the operations, the
parameters at its leaves and the data saved for the gradients. So any spelling of a network can be
read, `nn.Sequential`, a module of the script's own or bare tensors, and no function of PyTorch has to be
replaced. The network below the outputs is read in `torch_chain`. Node names: torch/csrc/autograd,
generated from tools/autograd/derivatives.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.adapters.torch_chain import (
    RESHAPES,
    ChainLayer,
    children,
    name_of,
    peeled,
    read_chain,
    to_numpy,
)
from whyfit.errors import Unsupported
from whyfit.records.network import Array, Layer, Network


@dataclass(frozen=True, eq=False)
class Error:
    """How outputs and targets were compared.

    `target` is the target as it went in, or None; then `difference` holds output minus target.
    `output_shape` and `target_shape` are those before any broadcasting; () where unknown.
    """

    loss: str
    reduction: str
    factor: float = 1.0
    constant: float = 1.0
    target: Any = None
    difference: Any = None
    output_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Outermost:
    """The module that was called last, which is the whole model, with what went in and came out."""

    module: Any
    input: Any
    output: Any


@dataclass(frozen=True, eq=False)
class LossGraph:
    """All that could be read from one loss. `reason` says why something could not be."""

    leaves: tuple[Any, ...]
    error: Error | None
    layers: tuple[ChainLayer, ...]
    x: Any
    batch: tuple[Array, Array] | None = None
    reason: str | None = None
    modules: dict[Any, Any] = field(default_factory=dict)
    outermost: Outermost | None = None
    first_leaf: Any = None


def read_loss(
    loss: Any, modules: dict[Any, Any] | None = None, outermost: Outermost | None = None
) -> LossGraph:
    """Take a loss apart before its `backward` runs. Never raises for a network it does not know.

    `modules` are the modules that made autograd nodes; `outermost` is the module called last, which
    serves where the network cannot be read.
    """
    node, error, reason = loss.grad_fn, None, None
    layers: tuple[ChainLayer, ...] = ()
    x = output = None
    try:
        error, output = _error(node)
        reason = error.reason
        layers, x = read_chain(peeled(output))
        error = _with_shapes(error, layers, x, output)
    except Unsupported as unsupported:
        reason = reason or str(unsupported)
    if layers:
        batch = _batch(error, x, lambda: _network(layers)(to_numpy(x)))
    else:
        made_it = outermost is not None and outermost.output.grad_fn is peeled(output)
        outputs = (lambda: to_numpy(outermost.output)) if outermost and made_it else None
        batch = _batch(error, outermost.input if outermost else None, outputs)
    return LossGraph(
        _leaves(node),
        error,
        layers,
        x,
        batch,
        reason,
        modules or {},
        outermost,
        first_leaf(loss),
    )


def _batch(
    error: Error | None, inputs: Any, outputs: Callable[[], Array] | None
) -> tuple[Array, Array] | None:
    """Inputs and targets of one step, two-dimensional, or None where they are unknown.

    `outputs` computes the outputs, which are needed where only differences from the targets are saved.
    """
    if error is None or inputs is None or (error.target is None and outputs is None):
        return None
    x = to_numpy(inputs)
    if x.ndim == 0:
        return None
    x = x.reshape(len(x), -1)
    y = _targets(error, len(x), outputs)
    return None if y is None or len(x) != len(y) else (x, y)


def _network(layers: tuple[ChainLayer, ...]) -> Network:
    return Network(
        tuple(
            Layer(
                each.kernel(),
                None if each.bias is None else to_numpy(each.bias).ravel(),
                each.activation,
            )
            for each in layers
        )
    )


def first_leaf(loss: Any) -> Any:
    """Some parameter below the loss, always the same for the same code; cheap."""
    node = loss.grad_fn
    while True:
        for child, _index in node.next_functions:
            if child is not None:
                node = child
                break
        else:
            return getattr(node, "variable", None)


def _leaves(node: Any) -> tuple[Any, ...]:
    """Leaf tensors that get gradients from here, each once."""
    found: dict[int, Any] = {}
    seen: set[Any] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        if hasattr(one, "variable"):
            found[id(one.variable)] = one.variable
        waiting += [child for child, _index in one.next_functions]
    return tuple(found.values())


# ---- the error ----


def _error(node: Any) -> tuple[Error, Any]:
    """How the loss compares, and the node of the outputs.

    Raises Unsupported where it compares in no known way.
    """
    factor, reduction, reason, divided = 1.0, "mean", None, False
    while True:
        match name_of(node):
            case "MulBackward0" | "DivBackward0" if (scalar := _scalar(node)) is not None:
                divided = divided or name_of(node) == "DivBackward0"
                factor = factor / scalar if name_of(node) == "DivBackward0" else factor * scalar
                node = children(node)[0]
            case "AddBackward0":
                reason = "a loss of several terms is not supported"
                node = next(child for child in children(node) if child is not None)
            case "MeanBackward0" | "SumBackward0":
                reduction = "mean" if name_of(node) == "MeanBackward0" else "sum"
                node = children(node)[0]
            case "SqrtBackward0":
                reason = "the root of a mean square is not supported"
                node = children(node)[0]
            case _ if name_of(node) in RESHAPES:
                node = children(node)[0]
            case _:
                break
    error, output = _elementwise(node, reduction)
    if divided and error.reduction == "sum":
        # A sum divided by a count is a mean, times what the count leaves over.
        error = _replaced(error, reduction="mean")
        factor *= _count(error)
    return _replaced(error, factor=error.factor * factor, reason=reason), output


def _replaced(error: Error, **fields: Any) -> Error:
    return Error(**{**error.__dict__, **fields})


def _count(error: Error) -> int:
    data = error.difference if error.target is None else error.target
    return int(data.numel())


def _scalar(node: Any) -> float | None:
    below = children(node)
    other = node._saved_other
    if len(below) > 1 and below[1] is not None:
        return None
    if other is None or getattr(other, "numel", lambda: 1)() != 1:
        return None
    return float(other)


def _elementwise(node: Any, outer: str) -> tuple[Error, Any]:
    name = name_of(node)
    if name in ("MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"):
        return _fused(node, name, outer)
    match name:
        case "PowBackward0" if float(node._saved_exponent) == 2.0:
            loss, difference = "mse", node._saved_self
        case "AbsBackward0":
            loss, difference = "mae", node._saved_self
        case "MulBackward0" if children(node)[0] is children(node)[1]:
            loss, difference = "mse", node._saved_self
        case _:
            raise Unsupported(f"a loss with {name_of(node).split('Backward')[0]} is not supported")
    inner = children(node)[0]
    if name_of(inner) != "SubBackward0":
        raise Unsupported("a loss that is no difference of outputs and targets is not supported")
    left, right = children(inner)
    if (left is None) == (right is None):
        raise Unsupported("a loss without a fixed target is not supported")
    if left is None:  # target minus output
        difference = -difference
    return Error(loss, outer, difference=difference.detach()), left or right


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


def _with_shapes(error: Error, layers: tuple[ChainLayer, ...], x: Any, output: Any) -> Error:
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


def _targets(error: Error, samples: int, outputs: Callable[[], Array] | None) -> Array | None:
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
    if broadcast and values.ndim == 2:
        values = values[0] if len(error.target_shape) == 1 else values[:, 0]
        return values.reshape(len(values), -1)
    return values.reshape(samples, -1) if values.size % samples == 0 else None
