"""A PyTorch loss, taken apart: error, data and network, as autograd recorded them.

When `backward` is called the graph below the loss still holds all that made it: the operations, the
parameters at its leaves and the data saved for the gradients. So any spelling of a network can be
read, `nn.Sequential`, a module of the script's own or bare tensors, and no function of PyTorch has to be
replaced. The comparison with the targets is read in `error`, the network below the outputs in
`chain`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from whyfit.adapters.torch.chain import ChainLayer, children, peeled, read_chain, to_numpy
from whyfit.adapters.torch.error import Error, read_error, targets_of, with_shapes
from whyfit.adapters.torch.frozen import chain_with_frozen, same_numbers
from whyfit.adapters.weights import with_weights
from whyfit.errors import Unsupported
from whyfit.records.network import Array, Layer, Network

MOST_ABOVE = 64
"""Nodes between a loss and the module that made it: factors, penalties, changes of shape."""


@dataclass(frozen=True, eq=False)
class Outermost:
    """The module that was called last, which is the whole model, with what went in and came out."""

    module: Any
    input: Any
    output: Any


@dataclass(frozen=True, eq=False)
class LossGraph:
    """All that could be read from one loss. `reason` says why something could not be.

    `model_made_outputs` says that the loss compares just what `outermost` gave. `loss_module` is the one
    module of torch.nn that made a part of the loss. `frozen` says that some layer gets no gradient, so
    that later losses can be read only with the `outermost` of theirs.
    """

    leaves: tuple[Any, ...]
    error: Error | None
    layers: tuple[ChainLayer, ...]
    x: Any
    batch: tuple[Array, Array] | None = None
    reason: str | None = None
    modules: dict[Any, Any] = field(default_factory=dict)
    outermost: Outermost | None = None
    first_leaf: Any = None
    model_made_outputs: bool = False
    loss_module: Any = None
    frozen: bool = False

    @property
    def is_whole_model(self) -> bool:
        """Whether the layers are all that `outermost` does between its input and its output."""
        if self.outermost is None or self.x is None or not self.model_made_outputs:
            return False
        return same_numbers(self.x, self.outermost.input)


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
    frozen = False
    try:
        error, output = read_error(node)
        reason = error.reason
        layers, x, frozen = _chain_below(output, outermost)
        error = with_shapes(error, layers, x, output)
    except Unsupported as unsupported:
        reason = reason or str(unsupported)
    made_it = _made(outermost, output)
    if layers:
        batch = _batch(error, x, lambda: network_of(layers)(to_numpy(x)))
    else:
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
        made_it,
        _loss_module(node, modules or {}),
        frozen,
    )


def _made(outermost: Outermost | None, output: Any) -> bool:
    return outermost is not None and peeled(outermost.output.grad_fn) is peeled(output)


def _chain_below(
    output: Any, outermost: Outermost | None
) -> tuple[tuple[ChainLayer, ...], Any, bool]:
    """The layers that made the outputs, the inputs, and whether some layer is frozen.

    Raises Unsupported where they are not known.
    """
    try:
        chain, x = read_chain(peeled(output))
        return _from_the_inputs(chain, x, outermost), x, False
    except Unsupported:
        if outermost is None or not _made(outermost, output):
            raise
        found = chain_with_frozen(outermost.module, outermost.input, outermost.output)
        if found is None:
            raise
        return *found, True


def _from_the_inputs(
    layers: tuple[ChainLayer, ...], x: Any, outermost: Outermost | None
) -> tuple[ChainLayer, ...]:
    """The layers, unless weights of the module before them get no gradient: what the first of the layers
    is given are then not the inputs. Raises Unsupported for such.
    """
    if outermost is None or same_numbers(x, outermost.input):
        return layers
    chain = {id(each) for layer in layers for each in layer.parameters}
    weights = list(outermost.module.parameters())
    others = sum(id(each) not in chain for each in weights)
    if others == 0 or others == len(weights):
        return layers
    raise Unsupported(
        f"{others} of the {len(weights)} weights and biases of {type(outermost.module).__name__} get no "
        "gradient from the loss (frozen, detached, under no_grad, or not used), and what the others are "
        "given is not what the network is given: that is not supported"
    )


def _loss_module(node: Any, modules: dict[Any, Any]) -> Any:
    """The module that made the highest node of the loss that any did, if it is a loss of torch.nn."""
    waiting, looked = [node], 0
    while waiting and looked < MOST_ABOVE:
        node, looked = waiting.pop(0), looked + 1
        module = modules.get(node)
        if module is not None:
            return module if type(module).__module__ == "torch.nn.modules.loss" else None
        waiting += [child for child in children(node) if child is not None]
    return None


def _batch(
    error: Error | None, inputs: Any, outputs: Callable[[], Array] | None
) -> tuple[Array, Array] | None:
    """Inputs and targets (and weights, see `with_weights`) of one step, two-dimensional, or None where
    they are unknown.

    `outputs` computes the outputs, which are needed where only differences from the targets are saved.
    """
    if error is None or inputs is None or (error.target is None and outputs is None):
        return None
    x = to_numpy(inputs)
    if x.ndim == 0:
        return None
    x = x.reshape(len(x), -1)
    y = targets_of(error, len(x), outputs)
    return None if y is None or len(x) != len(y) else (x, with_weights(y, error.weight))


def network_of(layers: tuple[ChainLayer, ...]) -> Network:
    """The chain with its weights as they are now."""
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
