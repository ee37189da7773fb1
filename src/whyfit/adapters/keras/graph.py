"""A Keras model as the sequence of operations from its input to its output.

Sequential and functional models have one. Of a model of the person's own class `call` is run once more
on a symbolic input, as Keras itself does when it builds the model; nothing is computed, and the
counters for names of layers are put back.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import io
from collections.abc import Generator
from typing import Any

from whyfit.errors import Unsupported

CHAINS = ("Sequential", "Functional")


def network_of(model: Any, inputs: int) -> Any:
    """The model itself, or the functional graph of a class of the person's own.

    Raises Unsupported where there is none to be had.
    """
    kind = type(model).__name__
    if kind in CHAINS and type(model).__module__.startswith("keras."):
        return model
    unsupported = Unsupported(f"a model of class {kind} is not supported")
    if not model.built or not all(layer.built for layer in model.layers):
        raise unsupported
    if _sets_attributes(type(model).call):  # run once more it might leave something else behind
        raise Unsupported(f"a model of class {kind}, whose call sets attributes, is not supported")
    import keras

    options = {}
    if "training" in inspect.signature(type(model).call).parameters:
        options["training"] = True
    with _names_kept(), contextlib.redirect_stdout(io.StringIO()):
        try:
            given = keras.Input((inputs,))
            return keras.Model(given, model.call(given, **options))
        except Exception:
            raise unsupported from None


def operations(network: Any) -> list[Any]:
    """Layers and functions in their order. Raises Unsupported where the graph is not one line."""
    if type(network).__name__ == "Sequential":
        return list(network.layers)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise Unsupported("a functional graph with several inputs or outputs is not supported")
    tensor, found = network.inputs[0], list(network.operations)
    mine = {id(node) for nodes in network._nodes_by_depth.values() for node in nodes}
    for operation in found[1:]:  # a layer may stand in other graphs too
        nodes = [node for node in operation._inbound_nodes if id(node) in mine]
        if len(nodes) != 1 or len(nodes[0].input_tensors) != 1:
            raise Unsupported("a functional graph that branches is not supported")
        if nodes[0].input_tensors[0] is not tensor:
            raise Unsupported("a functional graph that branches is not supported")
        tensor = nodes[0].outputs[0]
    return found


def _sets_attributes(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is None or any(each.opname == "STORE_ATTR" for each in dis.get_instructions(code))


@contextlib.contextmanager
def _names_kept() -> Generator[None]:
    """Layers made later get the names they would have got (keras/src/utils/naming.py)."""
    from keras.src.backend.common import global_state

    counters = global_state.get_global_attribute("object_name_uids")
    kept = dict(counters) if counters is not None else {}
    try:
        yield
    finally:
        counters = global_state.get_global_attribute("object_name_uids")
        if counters is not None:
            counters.clear()
            counters.update(kept)
