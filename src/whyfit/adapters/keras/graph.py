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
from collections.abc import Collection, Generator
from typing import Any

import numpy as np

from whyfit.errors import Unsupported
from whyfit.records.fit import SCALING_LAYERS, Scaler
from whyfit.records.network import Array
from whyfit.records.recipe import Affine

CHAINS = ("Sequential", "Functional")


def network_of(model: Any, inputs: int) -> Any:
    """The model itself, or the functional graph of a class of the person's own.

    Raises Unsupported where there is none to be had.
    """
    kind = type(model).__name__
    if is_chain(model):
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


def behind_scaling(model: Any, inputs: int, kinds: Collection[str]) -> tuple[Any, Scaler | None]:
    """The network, and what scales its inputs: a first layer that is no part of the network then.

    The layers are the model's own, so that their weights are. Only Keras's layers of the given `kinds`
    are put together anew; before others the first layer stays. Raises Unsupported as `network_of` does.
    """
    network = network_of(model, inputs)
    found = [each for each in operations(network) if type(each).__name__ != "InputLayer"]
    kept = [
        type(each).__name__ in kinds and type(each).__module__.startswith("keras.")
        for each in found[1:]
    ]
    if not kept or not all(kept) or type(found[0]).__name__ not in SCALING_LAYERS:
        return network, None
    import keras

    scaler = scaling_of(found[0], inputs)
    with _names_kept():
        first = tensor = keras.Input((inputs,))
        for operation in found[1:]:
            tensor = operation(tensor)
        return keras.Model(first, tensor), scaler


def scaled(scaler: Scaler | None, x: Array) -> Array:
    """Inputs as the layer, if there is one, leaves them; Keras rounds them to its precision before."""
    if scaler is None:
        return x
    import keras

    return scaler.transform(x.astype(keras.config.floatx()).astype(np.float64))


def scaling_of(layer: Any, inputs: int) -> Scaler:
    """What a layer does to the inputs (keras/src/layers/preprocessing/normalization.py, rescaling.py).

    Raises Unsupported where it turns a scaling back.
    """
    import keras

    kind = type(layer).__name__
    if kind == "Rescaling":
        scale = 1.0 / np.asarray(layer.scale, dtype=np.float64)
        offset = -np.asarray(layer.offset, dtype=np.float64) * scale
    elif layer.invert:
        raise Unsupported("Normalization with invert=True is not supported")
    else:
        offset = np.asarray(layer.mean, dtype=np.float64)
        scale = np.sqrt(np.asarray(layer.variance, dtype=np.float64))
        scale = np.maximum(scale, keras.config.epsilon())
    if np.size(offset) not in (1, inputs) or np.size(scale) not in (1, inputs):
        raise Unsupported(f"{kind} along another axis than the last is not supported")
    columns = (np.broadcast_to(np.ravel(each), (inputs,)) for each in (offset, scale))
    return Scaler(kind, Affine(*(tuple(map(float, each)) for each in columns)))


def operations(network: Any) -> list[Any]:
    """Layers and functions in their order, with those of models that are layers of it in their place.

    Raises Unsupported where the graph is not one line.
    """
    return [part for each in _own_operations(network) for part in _parts(each)]


def _parts(operation: Any) -> list[Any]:
    """A model that is used as a layer, in its parts; anything else as it is."""
    if is_chain(operation):
        return [each for each in operations(operation) if type(each).__name__ != "InputLayer"]
    return [operation]


def is_chain(model: Any) -> bool:
    """Whether it is a model of Keras's own kinds, whose layers are known."""
    return type(model).__name__ in CHAINS and type(model).__module__.startswith("keras.")


def _own_operations(network: Any) -> list[Any]:
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
