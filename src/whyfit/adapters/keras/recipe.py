"""A Keras model as a recipe, or the reason why it cannot be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import training as keras_training
from whyfit.errors import Unsupported
from whyfit.records.network import FUNCTIONS, Activation
from whyfit.records.recipe import DenseLayer, Initializer, Penalty, Recipe

IGNORED_LAYERS = ("InputLayer",)

ACTIVATION_LAYERS = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")

FUNCTIONS_AS_NODES = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
"""Functions of keras.ops in a functional graph (keras/src/ops/nn.py and numpy.py)."""

CHAINED = ("Dense", "Dropout", "Flatten", *ACTIVATION_LAYERS, *FUNCTIONS_AS_NODES)
"""All that a chain of dense layers may hold."""

INITIALIZERS = {
    "Zeros": "zeros",
    "Ones": "ones",
    "Constant": "constant",
    "Identity": "identity",
    "RandomUniform": "random_uniform",
    "RandomNormal": "random_normal",
    "TruncatedNormal": "truncated_normal",
    "VarianceScaling": "variance_scaling",
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
    "Orthogonal": "orthogonal",
    "OrthogonalInitializer": "orthogonal",
}


def dense_chain(model: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """The model's Dense layers in order, each with the activations and dropout that follow it.

    Raises Unsupported, naming the first layer that is not part of a plain dense chain.
    """
    chain: list[tuple[Any, tuple[Any, ...]]] = []
    for layer in keras_graph.operations(model):
        kind = type(layer).__name__
        if kind in IGNORED_LAYERS or (kind == "Dropout" and (layer.rate == 0.0 or not chain)):
            continue
        if kind == "Dense":
            chain.append((layer, ()))
        elif kind in (*ACTIVATION_LAYERS, *FUNCTIONS_AS_NODES, "Dropout") and chain:
            dense, following = chain[-1]
            if following and type(following[-1]).__name__ == "Dropout":
                raise Unsupported(f"{kind} after Dropout is not supported")
            chain[-1] = (dense, (*following, layer))
        elif kind == "Flatten" and not chain and len(model.input_shape) == 2:
            continue
        else:
            raise Unsupported(f"{kind} is not supported")
    if not chain:
        raise Unsupported("a model without Dense layers is not supported")
    return chain


def recipe_of(
    model: Any,
    network: Any,
    *,
    batch_size: int,
    epochs: int,
    shuffle: bool,
    callbacks: Sequence[Any],
    validated: bool = False,
    targets: keras_training.Targets = keras_training.NO_TARGETS,
) -> tuple[Recipe, str | None]:
    """Everything needed to train the model again, and the reason why that is not possible, if any.

    `network` is the model as a graph (`keras_graph.network_of`). With a reason the recipe still gives
    the shape of the network. `validated` says whether there are validation data; `targets`
    are those of the fit. Raises Unsupported where the model is not a chain of dense layers.
    """
    chain = dense_chain(network)
    reasons = [reason for dense, following in chain for reason in _layer_reasons(dense, following)]
    loss, loss_reason = keras_training.loss_of(model, targets)
    optimizer, schedule, optimizer_reason = keras_training.optimizer_of(model.optimizer)
    plateau, stopping, callback_reason = keras_training.callbacks_of(callbacks, validated=validated)
    if schedule is not None and plateau is not None:
        callback_reason = "ReduceLROnPlateau beside a schedule is not supported"
    reasons += [each for each in (callback_reason, loss_reason, optimizer_reason) if each]
    recipe = Recipe(
        inputs=int(chain[0][0].kernel.shape[0]),
        layers=tuple(_dense_layer(dense, following) for dense, following in chain),
        optimizer=optimizer,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=shuffle,
        input_dropout=_input_dropout(network),
        schedule=plateau or schedule,
        early_stopping=stopping,
        **loss,
    )
    return recipe, reasons[0] if reasons else None


def flat(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Keras's list of weights as one row of float64."""
    return np.concatenate([np.asarray(each, dtype=np.float64).ravel() for each in weights])


def seeds_own_weights(model: Any) -> bool:
    """Whether every kernel has an initializer with a seed of its own."""
    kernels = [layer.kernel_initializer for layer, _following in dense_chain(model)]
    return all(isinstance(getattr(each, "_init_seed", None), int) for each in kernels)


def _input_dropout(model: Any) -> float:
    """The rate of Dropout before the first Dense layer."""
    rates = []
    for layer in keras_graph.operations(model):
        if type(layer).__name__ == "Dense":
            break
        if type(layer).__name__ == "Dropout" and layer.rate:
            rates.append(float(layer.rate))
    if len(rates) > 1:
        raise Unsupported("Dropout after Dropout is not supported")
    return rates[0] if rates else 0.0


def _layer_reasons(dense: Any, following: tuple[Any, ...]) -> list[str]:
    reasons = []
    for attribute in ("kernel_constraint", "bias_constraint"):
        if getattr(dense, attribute, None) is not None:
            reasons.append(f"{attribute} is not supported")
    for attribute in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
        if _penalty(getattr(dense, attribute, None)) is None:
            kind = type(getattr(dense, attribute)).__name__
            reasons.append(f"{attribute} {kind} is not supported")
    activations = [each for each in following if type(each).__name__ != "Dropout"]
    if dense.activity_regularizer is not None and activations:
        reasons.append("activity_regularizer before another activation is not supported")
    for layer in following:
        if getattr(layer, "noise_shape", None) is not None:
            reasons.append("Dropout with noise_shape is not supported")
        if type(layer).__name__ == "PReLU":
            reasons += _prelu_reasons(dense, layer)
    if dense.dtype_policy.name != "float32":
        reasons.append(f"precision {dense.dtype_policy.name} is not supported")
    return reasons


def _prelu_reasons(dense: Any, layer: Any) -> list[str]:
    reasons = []
    if layer.alpha_regularizer is not None or layer.alpha_constraint is not None:
        reasons.append("PReLU with a regularizer or a constraint is not supported")
    if bool(layer.trainable) != bool(dense.trainable):
        reasons.append("PReLU that is frozen apart from its layer is not supported")
    return reasons


def _penalty(regularizer: Any) -> Penalty | None:
    """The penalty of a regularizer, or None if it is of another kind."""
    if regularizer is None:
        return Penalty()
    if type(regularizer).__name__ not in ("L1", "L2", "L1L2"):
        return None
    return Penalty(
        float(getattr(regularizer, "l1", 0.0) or 0.0), float(getattr(regularizer, "l2", 0.0) or 0.0)
    )


def _dense_layer(dense: Any, following: tuple[Any, ...]) -> DenseLayer:
    slopes = next((each for each in following if type(each).__name__ == "PReLU"), None)
    dropout = next((each for each in following if type(each).__name__ == "Dropout"), None)
    zeros = Initializer("zeros")
    return DenseLayer(
        units=int(dense.units),
        activation=_activation(dense, following),
        use_bias=bool(dense.use_bias),
        kernel_initializer=_initializer(dense.kernel_initializer),
        bias_initializer=_initializer(dense.bias_initializer) if dense.use_bias else zeros,
        kernel_penalty=_penalty(dense.kernel_regularizer) or Penalty(),
        bias_penalty=_penalty(dense.bias_regularizer) or Penalty(),
        activity_penalty=_penalty(dense.activity_regularizer) or Penalty(),
        dropout=float(dropout.rate) if dropout is not None else 0.0,
        trainable=bool(dense.trainable),
        shared_slope=slopes is not None and slopes.shared_axes is not None,
        slope_initializer=_initializer(slopes.alpha_initializer) if slopes is not None else zeros,
    )


def _activation(dense: Any, following: tuple[Any, ...]) -> Activation:
    found = [_function(dense.activation), *(_of_layer(each) for each in following)]
    curved = [each for each in found if each.name != "linear"]
    if len(curved) > 1:
        raise Unsupported("two activations after one layer are not supported")
    return curved[0] if curved else Activation("linear")


def _of_layer(layer: Any) -> Activation:
    match type(layer).__name__:
        case "Activation":
            return _function(layer.activation)
        case "ReLU":
            return _relu(layer)
        case "LeakyReLU":
            return Activation("leaky_relu", (float(layer.negative_slope),))
        case "ELU":
            return Activation("elu", (float(layer.alpha),))
        case "PReLU":
            return Activation("prelu")
        case "Softmax":
            if layer.axis != -1:
                raise Unsupported("Softmax along another axis than the last is not supported")
            return Activation("softmax")
        case kind:
            return Activation(FUNCTIONS_AS_NODES.get(kind, "linear"))


def _relu(layer: Any) -> Activation:
    slope, threshold = float(layer.negative_slope), float(layer.threshold)
    if layer.max_value is None and not threshold:
        return Activation("leaky_relu", (slope,)) if slope else Activation("relu")
    if threshold < 0.0:
        raise Unsupported("ReLU with a threshold below zero is not supported")
    most = float("inf") if layer.max_value is None else float(layer.max_value)
    if most == 6.0 and not threshold and not slope:
        return Activation("relu6")
    return Activation("bounded_relu", (slope, most, threshold))


def _function(function: Any) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "")
    name = {"sin": "sine"}.get(name, name)
    if not module.startswith("keras.") or name not in FUNCTIONS or name == "prelu":
        raise Unsupported(f"activation {name} is not supported")
    return Activation(name)


def _initializer(initializer: Any) -> Initializer:
    kind = type(initializer).__name__
    if kind not in INITIALIZERS:
        raise Unsupported(f"initializer {kind} is not supported")
    config = initializer.get_config()
    known = ("minval", "maxval", "mean", "stddev", "value", "gain", "scale", "mode", "distribution")
    constants = {name: config[name] for name in known if config.get(name) is not None}
    name = INITIALIZERS[kind]
    if name.startswith(("glorot", "he_", "lecun")):
        constants = {}
    return Initializer(name, **constants)
