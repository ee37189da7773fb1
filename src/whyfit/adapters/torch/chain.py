"""The chain of layers that made the outputs of a PyTorch loss, read from autograd's graph.

From the outputs down to the inputs each node is a linear map, an activation, dropout or a change of
shape. Node names: torch/csrc/autograd, generated from tools/autograd/derivatives.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from whyfit.errors import Unsupported
from whyfit.records.network import SELU_SCALE, Activation, Array

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
    autograd nodes of the function, by which its module is found, `dropout_node` that of the dropout.
    `flat` says that the outputs come as (samples,), as `x * w + b` or `h @ w` give them.
    """

    weight: Any
    bias: Any
    transposed: bool
    activation: Activation
    dropout: float = 0.0
    nodes: tuple[Any, ...] = ()
    flat: bool = False
    dropout_node: Any = None

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The weight, and the bias if there is one."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)

    def kernel(self) -> Array:
        """The weights now, shape (inputs, units)."""
        values = to_numpy(self.weight)
        if values.ndim < 2:
            return values.reshape(-1, 1)
        return values.T if self.transposed else values


def to_numpy(tensor: Any) -> Array:
    """A tensor's numbers as a new float64 array."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float64)


def name_of(node: Any) -> str:
    """The name of a node's kind."""
    return type(node).__name__


def said(node: Any) -> str:
    """That a node is not supported, in words."""
    name = name_of(node).split("Backward")[0]
    return f"{NAMES.get(name, name)} is not supported"


def children(node: Any) -> list[Any]:
    """The nodes a node's gradient goes on to, None for constants."""
    return [child for child, _index in node.next_functions]


# ---- the network ----


def peeled(node: Any) -> Any:
    """The first node below that is no change of shape."""
    while node is not None and name_of(node) in RESHAPES:
        node = children(node)[0]
    return node


def constant_of(node: Any) -> tuple[Any, Any] | None:
    """The constant that something is multiplied with or divided by, and the node of that something."""
    below = (*children(node), None)[:2]
    if (below[0] is None) == (below[1] is None):
        return None
    if below[1] is None:
        constant, node = node._saved_other, below[0]
    else:  # only a product saves its left side
        constant, node = getattr(node, "_saved_self", None), below[1]
    return None if constant is None else (constant, node)


def is_norm_of_all(node: Any, order: float) -> bool:
    """Whether a node is the norm of that order of all numbers of what is below it."""
    if name_of(node) != "LinalgVectorNormBackward0" or float(node._saved_ord) != order:
        return False
    dimensions = node._saved_dim
    return dimensions is None or len(dimensions) in (0, node._saved_self.dim())


def read_chain(node: Any) -> tuple[tuple[ChainLayer, ...], Any]:
    """The layers from input to output, and the input. Raises Unsupported at the first other node."""
    found: list[ChainLayer] = []
    activation, dropout, nodes = Activation("linear"), 0.0, []
    dropped: Any = None
    while True:
        if (function := _function(node)) is not None:
            if activation.name != "linear":
                raise Unsupported("two activations after one layer are not supported")
            activation = function
            nodes.append(node)
            node = children(node)[0]
        elif (share := _dropout(node)) is not None:
            if activation.name != "linear":
                raise Unsupported("dropout before an activation is not supported")
            dropout, dropped, node = share, node, children(node)[0]
        elif (linear := _linear(node)) is not None:
            found.append(
                ChainLayer(
                    linear.weight,
                    linear.bias,
                    linear.transposed,
                    activation,
                    dropout,
                    tuple(nodes),
                    linear.flat,
                    dropped,
                )
            )
            if linear.below is None:
                return tuple(reversed(found)), linear.x
            activation, dropout, nodes, node = Activation("linear"), 0.0, [], linear.below
            dropped = None
        elif found and _keeps_columns(node, found[-1].kernel().shape[0]):
            node = children(node)[0]
        else:
            raise Unsupported(said(node))


def _keeps_columns(node: Any, columns: int) -> bool:
    """Whether a node only groups samples in another way, as nn.Linear does for one sample alone or for a
    batch of series.
    """
    if name_of(node) not in RESHAPES:
        return False
    sizes = getattr(node, "_saved_self_sym_sizes", None)
    return sizes is not None and len(sizes) > 0 and int(sizes[-1]) == columns


PRODUCTS = ("MmBackward0", "MvBackward0", "MulBackward0")


@dataclass(frozen=True, eq=False)
class _Linear:
    """One linear map, the node below it, and its input where that is a constant (`below` is None)."""

    weight: Any
    bias: Any
    below: Any
    x: Any
    transposed: bool = False
    flat: bool = False


def _linear(node: Any) -> _Linear | None:
    """The linear map a node ends, or None if it ends none. Raises Unsupported for one of odd parts."""
    if name_of(node) == "AddmmBackward0":
        added, below, factor = children(node)
        if added is None or factor is None:
            raise Unsupported("a frozen layer is not supported")
        return _matrix(_leaf(added), below, factor, node._saved_mat1)
    if name_of(node) == "AddBackward0":
        product = [child for child in children(node) if name_of(child) in PRODUCTS]
        added = [child for child in children(node) if name_of(child) not in PRODUCTS]
        plain = len(product) == 1 and len(added) == 1 and hasattr(added[0], "variable")
        if not plain or float(node._saved_alpha) != 1.0:
            raise Unsupported(said(node))
        return _product(product[0], _leaf(added[0]))
    return _product(node, None) if name_of(node) in PRODUCTS else None


def _product(node: Any, bias: Any) -> _Linear:
    if name_of(node) == "MmBackward0":
        below, factor = children(node)
        if factor is None:
            raise Unsupported("a frozen layer is not supported")
        return _matrix(bias, below, factor, node._saved_self)
    if name_of(node) == "MvBackward0":
        below, factor = children(node)
        if factor is None:
            raise Unsupported("a frozen layer is not supported")
        return _Linear(_leaf(factor), bias, *_input(below, node._saved_self), flat=True)
    return _one_number(node, bias)


def _matrix(bias: Any, below: Any, factor: Any, x: Any) -> _Linear:
    transposed = name_of(factor) == "TBackward0"
    weight = _leaf(children(factor)[0] if transposed else factor)
    return _Linear(weight, bias, *_input(below, x), transposed=transposed)


def _input(below: Any, x: Any) -> tuple[Any, Any]:
    """The node below, or None where the inputs begin, and the inputs."""
    if below is not None and name_of(below) == "AccumulateGrad":
        below = None  # inputs that ask for gradients themselves
    if below is None and (x is None or x.dim() != 2):
        raise Unsupported("inputs of this shape are not supported")
    return below, x


def _one_number(node: Any, bias: Any) -> _Linear:
    """`w * x`, which for one weight and one input is a linear layer."""
    below = children(node)
    constant = [at for at, child in enumerate(below) if child is None]
    if len(below) != 2 or len(constant) != 1:
        raise Unsupported(said(node))
    x = node._saved_other if constant[0] == 1 else node._saved_self
    if not hasattr(x, "dim") or x.dim() == 0:
        raise Unsupported("a layer's result times a number is not supported")
    if x.dim() > 2 or x.numel() != len(x):
        raise Unsupported(said(node))
    weight = _leaf(below[1 - constant[0]])
    if weight.numel() != 1 or (bias is not None and bias.numel() != 1):
        raise Unsupported(said(node))
    return _Linear(weight, bias, None, x.reshape(-1, 1), flat=x.dim() == 1)


def _leaf(node: Any) -> Any:
    if node is None or not hasattr(node, "variable"):
        raise Unsupported("weights that are made from other weights are not supported")
    return node.variable


def _dropout(node: Any) -> float | None:
    """The share that is dropped, if this is dropout: a product with noughts and one other number."""
    if name_of(node) == "NativeDropoutBackward0":
        return float(node._saved_p)
    if name_of(node) != "MulBackward0" or children(node)[1] is not None:
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
    name = name_of(node)
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
