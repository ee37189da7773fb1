"""A PyTorch loss, taken apart: error, data and network, as autograd recorded them.

When `backward` is called the graph below the loss still holds all that made it: the operations, the
parameters at its leaves and the data saved for the gradients. So any spelling of a network can be
read, `nn.Sequential`, a module of the script's own or bare tensors, and no function of PyTorch has to be
replaced. Node names: torch/csrc/autograd, generated from tools/autograd/derivatives.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.errors import Unsupported
from whyfit.records.network import SELU_SCALE, Activation, Array, Layer, Network

RESHAPES = (
    "ViewBackward0",
    "UnsafeViewBackward0",
    "ReshapeAliasBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "SqueezeBackward2",
    "UnsqueezeBackward0",
    "ExpandBackward0",
    "CloneBackward0",
)
NAMES = {
    "NativeBatchNorm": "BatchNorm",
    "NativeLayerNorm": "LayerNorm",
    "Convolution": "a convolution",
    "CompiledFunction": "a compiled model",
    "Mul": "a product of activations",
    "Add": "a sum of activations",
    "Cat": "a concatenation",
}


@dataclass(frozen=True, eq=False)
class ChainLayer:
    """One linear map of the chain and the function after it.

    `transposed` says that the weight lies as (units, inputs), as nn.Linear has it. `nodes` are the
    autograd nodes of the function, by which its module is found.
    """

    weight: Any
    bias: Any
    transposed: bool
    activation: Activation
    dropout: float = 0.0
    nodes: tuple[Any, ...] = ()

    def kernel(self) -> Array:
        """The weights now, shape (inputs, units)."""
        values = to_numpy(self.weight)
        return values.T if self.transposed else values


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
class LossGraph:
    """All that could be read from one loss. `reason` says why something could not be."""

    leaves: tuple[Any, ...]
    error: Error | None
    layers: tuple[ChainLayer, ...]
    x: Any
    batch: tuple[Array, Array] | None = None
    reason: str | None = None
    modules: dict[Any, Any] = field(default_factory=dict)
    outermost: tuple[Any, Any] | None = None
    first_leaf: Any = None


def read_loss(
    loss: Any, modules: dict[Any, Any] | None = None, outermost: tuple[Any, Any] | None = None
) -> LossGraph:
    """Take a loss apart before its `backward` runs. Never raises for a network it does not know.

    `modules` are the modules that made autograd nodes; `outermost` is the module called last, with
    its input, which serves where the network cannot be read.
    """
    node, error, reason = loss.grad_fn, None, None
    layers: tuple[ChainLayer, ...] = ()
    x = None
    try:
        error, output = _error(node)
        reason = error.reason
        layers, x = _chain(_peeled(output))
        error = _with_shapes(error, output, layers, x)
    except Unsupported as unsupported:
        reason = reason or str(unsupported)
    batch = _batch(error, layers, x if layers else outermost and outermost[1])
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
    error: Error | None, layers: tuple[ChainLayer, ...], inputs: Any
) -> tuple[Array, Array] | None:
    """Inputs and targets of one step, two-dimensional, or None where they are unknown."""
    if error is None or inputs is None or (error.target is None and not layers):
        return None
    x = to_numpy(inputs)
    x = x.reshape(len(x), -1)
    y = _targets(error, _network(layers)(x) if error.target is None else None)
    return (x, y) if len(x) == len(y) else None


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


def to_numpy(tensor: Any) -> Array:
    """A tensor's numbers as a new float64 array."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float64)


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


def _name(node: Any) -> str:
    return type(node).__name__


def _said(node: Any) -> str:
    name = _name(node).split("Backward")[0]
    return f"{NAMES.get(name, name)} is not supported"


def _below(node: Any) -> list[Any]:
    return [child for child, _index in node.next_functions]


# ---- the error ----


def _error(node: Any) -> tuple[Error, Any]:
    """How the loss compares, and the node of the outputs.

    Raises Unsupported where it compares in no known way.
    """
    factor, reduction, reason, divided = 1.0, "mean", None, False
    while True:
        match _name(node):
            case "MulBackward0" | "DivBackward0" if (scalar := _scalar(node)) is not None:
                divided = divided or _name(node) == "DivBackward0"
                factor = factor / scalar if _name(node) == "DivBackward0" else factor * scalar
                node = _below(node)[0]
            case "AddBackward0":
                reason = "a loss of several terms is not supported"
                node = next(child for child in _below(node) if child is not None)
            case "MeanBackward0" | "SumBackward0":
                reduction = "mean" if _name(node) == "MeanBackward0" else "sum"
                node = _below(node)[0]
            case "SqrtBackward0":
                reason = "the root of a mean square is not supported"
                node = _below(node)[0]
            case _ if _name(node) in RESHAPES:
                node = _below(node)[0]
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
    below = _below(node)
    other = node._saved_other
    if len(below) > 1 and below[1] is not None:
        return None
    if other is None or getattr(other, "numel", lambda: 1)() != 1:
        return None
    return float(other)


def _elementwise(node: Any, outer: str) -> tuple[Error, Any]:
    name = _name(node)
    if name in ("MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"):
        return _fused(node, name, outer)
    match name:
        case "PowBackward0" if float(node._saved_exponent) == 2.0:
            loss, difference = "mse", node._saved_self
        case "AbsBackward0":
            loss, difference = "mae", node._saved_self
        case "MulBackward0" if _below(node)[0] is _below(node)[1]:
            loss, difference = "mse", node._saved_self
        case _:
            raise Unsupported(f"a loss with {_name(node).split('Backward')[0]} is not supported")
    inner = _below(node)[0]
    if _name(inner) != "SubBackward0":
        raise Unsupported("a loss that is no difference of outputs and targets is not supported")
    left, right = _below(inner)
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
    output = _below(node)[0]
    if output is None or _below(node)[1] is not None:
        raise Unsupported("a loss without a fixed target is not supported")
    return Error(loss, reduction, factor, constant, target=node._saved_target), output


def _with_shapes(error: Error, output: Any, layers: tuple[ChainLayer, ...], x: Any) -> Error:
    """The shapes at the loss call, before broadcasting."""
    samples, units = len(x), layers[-1].kernel().shape[1]
    node, shape = output, (samples, units)
    while _name(node) in RESHAPES:
        if _name(node) not in ("ExpandBackward0", "CloneBackward0", "UnsqueezeBackward0"):
            shape = (samples,) if units == 1 else shape
        node = _below(node)[0]
    compared = tuple((error.difference if error.target is None else error.target).shape)
    target = compared
    if int(np.prod(compared)) != samples * units and len(compared) == 2:
        # Outputs and targets were spread against each other, one along rows, one along columns.
        target = (compared[1],) if shape == (samples, 1) else (compared[0], 1)
    elif shape == (samples,) and compared == (samples, 1):
        shape = (samples, 1)
    elif shape == (samples, 1) and compared == (samples,):
        shape = (samples,)
    return _replaced(error, output_shape=shape, target_shape=target)


def _targets(error: Error, outputs: Array | None) -> Array:
    """The targets of one step as (samples, columns); needs the outputs where only differences are
    saved.
    """
    broadcast = error.output_shape != error.target_shape and len(error.target_shape) > 0
    if error.target is not None:
        values = to_numpy(error.target)
    else:
        difference = to_numpy(error.difference)
        assert outputs is not None
        aligned = outputs.reshape(error.output_shape) if broadcast else outputs
        values = aligned - (difference if broadcast else difference.reshape(outputs.shape))
    if broadcast and values.ndim == 2:
        values = values[0] if len(error.target_shape) == 1 else values[:, 0]
    return values.reshape(len(values), -1)


# ---- the network ----


def _peeled(node: Any) -> Any:
    while node is not None and _name(node) in RESHAPES:
        node = _below(node)[0]
    return node


def _chain(node: Any) -> tuple[tuple[ChainLayer, ...], Any]:
    """The layers from input to output, and the input. Raises Unsupported at the first other node."""
    found: list[ChainLayer] = []
    activation, dropout, nodes = Activation("linear"), 0.0, []
    while True:
        name = _name(node)
        if (function := _function(node)) is not None:
            if activation.name != "linear":
                raise Unsupported("two activations after one layer are not supported")
            activation = function
            nodes.append(node)
            node = _below(node)[0]
        elif (share := _dropout(node)) is not None:
            if activation.name != "linear":
                raise Unsupported("dropout before an activation is not supported")
            dropout, node = share, _below(node)[0]
        elif name in ("AddmmBackward0", "MmBackward0", "AddBackward0"):
            weight, transposed, bias, below, x = _linear(node)
            found.append(ChainLayer(weight, bias, transposed, activation, dropout, tuple(nodes)))
            if below is None:
                return tuple(reversed(found)), x
            activation, dropout, nodes, node = Activation("linear"), 0.0, [], below
        else:
            raise Unsupported(_said(node))


def _linear(node: Any) -> tuple[Any, bool, Any, Any, Any]:
    """Weight, whether it lies transposed, bias, the node below or None, and the input there."""
    bias = None
    if _name(node) == "AddBackward0":
        product = [child for child in _below(node) if _name(child) == "MmBackward0"]
        added = [child for child in _below(node) if _name(child) != "MmBackward0"]
        if len(product) != 1 or len(added) != 1 or float(node._saved_alpha) != 1.0:
            raise Unsupported(_said(node))
        bias, node = _leaf(added[0]), product[0]
    if _name(node) == "AddmmBackward0":
        added, below, factor = _below(node)
        if added is None or factor is None:
            raise Unsupported("a frozen layer is not supported")
        bias, x = _leaf(added), node._saved_mat1
    else:
        below, factor = _below(node)
        x = node._saved_self
    if factor is None:
        raise Unsupported("a frozen layer is not supported")
    transposed = _name(factor) == "TBackward0"
    weight = _leaf(_below(factor)[0] if transposed else factor)
    if below is not None and _name(below) == "AccumulateGrad":
        below = None  # inputs that ask for gradients themselves
    if below is None and (x is None or x.dim() != 2):
        raise Unsupported("inputs of this shape are not supported")
    return weight, transposed, bias, below, x


def _leaf(node: Any) -> Any:
    if node is None or not hasattr(node, "variable"):
        raise Unsupported("weights that are made from other weights are not supported")
    return node.variable


def _dropout(node: Any) -> float | None:
    """The share that is dropped, if this is dropout: a product with noughts and one other number."""
    if _name(node) == "NativeDropoutBackward0":
        return float(node._saved_p)
    if _name(node) != "MulBackward0" or _below(node)[1] is not None:
        return None
    mask = node._saved_other
    if mask is None or getattr(mask, "dim", lambda: 0)() != 2:
        return None
    values = np.unique(to_numpy(mask))
    kept = float(values[-1])
    plain = len(values) <= 2 and kept > 1.0 and (len(values) == 1 or values[0] == 0.0)
    return float(f"{1.0 - 1.0 / kept:.6g}") if plain else None


_PLAIN = {
    "ReluBackward0": "relu",
    "TanhBackward0": "tanh",
    "SigmoidBackward0": "sigmoid",
    "SiluBackward0": "silu",
    "MishBackward0": "mish",
    "SinBackward0": "sine",
    "ExpBackward0": "exponential",
    "HardsigmoidBackward0": "hard_sigmoid",
}


def _function(node: Any) -> Activation | None:
    """The activation of a node, or None if it is none. Raises Unsupported for odd constants."""
    name = _name(node)
    if name in _PLAIN:
        return Activation(_PLAIN[name])
    read = _WITH_CONSTANTS.get(name)
    return read(node) if read else None


def _elu(node: Any) -> Activation:
    if abs(float(node._saved_scale) - SELU_SCALE) < 1e-6:
        return Activation("selu")
    if float(node._saved_scale) != 1.0 or float(node._saved_input_scale) != 1.0:
        raise Unsupported("activation CELU is not supported")
    return Activation("elu", (float(node._saved_alpha),))


def _softplus(node: Any) -> Activation:
    if float(node._saved_beta) != 1.0:
        raise Unsupported("Softplus with beta is not supported")
    return Activation("softplus")


def _hard_tanh(node: Any) -> Activation:
    bounds = (float(node._saved_min_val), float(node._saved_max_val))
    if bounds == (-1.0, 1.0):
        return Activation("hard_tanh")
    if bounds == (0.0, 6.0):
        return Activation("relu6")
    raise Unsupported("Hardtanh with other bounds is not supported")


def _clamp(node: Any) -> Activation:
    most = getattr(node, "_saved_max", None)
    if node._saved_min is None or float(node._saved_min) != 0.0 or most is not None:
        raise Unsupported("clamp is supported only as clamp(min=0)")
    return Activation("relu")


_WITH_CONSTANTS: dict[str, Callable[[Any], Activation]] = {
    "LeakyReluBackward0": lambda node: Activation(
        "leaky_relu", (float(node._saved_negative_slope),)
    ),
    "EluBackward0": _elu,
    "GeluBackward0": lambda node: Activation(
        "gelu_tanh" if node._saved_approximate == "tanh" else "gelu"
    ),
    "SoftplusBackward0": _softplus,
    "HardtanhBackward0": _hard_tanh,
    "ClampBackward1": _clamp,
    "ClampMinBackward0": _clamp,
}
