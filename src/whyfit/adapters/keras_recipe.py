"""A Keras model as a recipe, or the reason why it cannot be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from whyfit.errors import Unsupported
from whyfit.records.network import FUNCTIONS, Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

LOSSES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
}

IGNORED_LAYERS = ("InputLayer",)

UNSUPPORTED_OPTIONS = (
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "amsgrad",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)

STEERING_CALLBACKS = ("EarlyStopping", "ReduceLROnPlateau", "LearningRateScheduler")

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
    """The model's Dense layers in order, each with the activation layers that follow it.

    Raises Unsupported, naming the first layer that is not part of a plain dense chain.
    """
    _check_is_chain(model)
    chain: list[tuple[Any, tuple[Any, ...]]] = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in IGNORED_LAYERS or (kind == "Dropout" and layer.rate == 0.0):
            continue
        if kind == "Dense":
            chain.append((layer, ()))
        elif kind in ("Activation", "ReLU", "LeakyReLU", "ELU") and chain:
            dense, following = chain[-1]
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
    *,
    batch_size: int,
    epochs: int,
    shuffle: bool,
    callbacks: Sequence[Any],
) -> tuple[Recipe, str | None]:
    """Everything needed to train the model again, and the reason why that is not possible, if any.

    With a reason the recipe still gives the shape of the network. Raises Unsupported where the model
    is not a chain of dense layers.
    """
    chain = dense_chain(model)
    reasons = [
        f"callback {type(callback).__name__} is not supported"
        for callback in callbacks
        if type(callback).__name__ in STEERING_CALLBACKS
    ]
    for dense, _following in chain:
        reasons += _layer_reasons(dense)
    loss, loss_reason = _loss(model)
    optimizer, optimizer_reason = _optimizer(model.optimizer)
    reasons += [reason for reason in (loss_reason, optimizer_reason) if reason]
    recipe = Recipe(
        inputs=int(chain[0][0].kernel.shape[0]),
        layers=tuple(_dense_layer(dense, following) for dense, following in chain),
        loss=loss,
        optimizer=optimizer,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=shuffle,
    )
    return recipe, reasons[0] if reasons else None


def flat(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Keras's list of weights as one row of float64."""
    return np.concatenate([np.asarray(each, dtype=np.float64).ravel() for each in weights])


def seeds_own_weights(model: Any) -> bool:
    """Whether every kernel has an initializer with a seed of its own."""
    kernels = [layer.kernel_initializer for layer, _following in dense_chain(model)]
    return all(isinstance(getattr(each, "_init_seed", None), int) for each in kernels)


def _check_is_chain(model: Any) -> None:
    kind = type(model).__name__
    if kind == "Sequential":
        return
    if kind != "Functional":
        raise Unsupported(f"a model of class {kind} is not supported")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise Unsupported("a functional graph with several inputs or outputs is not supported")
    tensor = model.inputs[0]
    for layer in model.layers[1:]:
        nodes = layer._inbound_nodes
        if len(nodes) != 1 or len(nodes[0].input_tensors) != 1:
            raise Unsupported("a functional graph that branches is not supported")
        if nodes[0].input_tensors[0] is not tensor:
            raise Unsupported("a functional graph that branches is not supported")
        tensor = nodes[0].outputs[0]


def _layer_reasons(dense: Any) -> list[str]:
    reasons = []
    for attribute in (
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ):
        if getattr(dense, attribute, None) is not None:
            reasons.append(f"{attribute} is not supported")
    if not dense.trainable:
        reasons.append("a frozen layer is not supported")
    if dense.dtype_policy.name != "float32":
        reasons.append(f"precision {dense.dtype_policy.name} is not supported")
    return reasons


def _dense_layer(dense: Any, following: tuple[Any, ...]) -> DenseLayer:
    return DenseLayer(
        units=int(dense.units),
        activation=_activation(dense, following),
        use_bias=bool(dense.use_bias),
        kernel_initializer=_initializer(dense.kernel_initializer),
        bias_initializer=(
            _initializer(dense.bias_initializer) if dense.use_bias else Initializer("zeros")
        ),
    )


def _activation(dense: Any, following: tuple[Any, ...]) -> Activation:
    found = [_function(dense.activation)]
    for layer in following:
        match type(layer).__name__:
            case "Activation":
                found.append(_function(layer.activation))
            case "ReLU":
                if layer.max_value is not None or layer.threshold:
                    raise Unsupported("ReLU with max_value or threshold is not supported")
                slope = float(layer.negative_slope)
                found.append(Activation("leaky_relu", (slope,)) if slope else Activation("relu"))
            case "LeakyReLU":
                found.append(Activation("leaky_relu", (float(layer.negative_slope),)))
            case "ELU":
                found.append(Activation("elu", (float(layer.alpha),)))
            case _:
                pass
    curved = [each for each in found if each.name != "linear"]
    if len(curved) > 1:
        raise Unsupported("two activations after one layer are not supported")
    return curved[0] if curved else Activation("linear")


def _function(function: Any) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "")
    if not module.startswith("keras.") or name not in FUNCTIONS or name == "softmax":
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


def _loss(model: Any) -> tuple[str, str | None]:
    import keras

    loss = model.loss
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None) or getattr(loss, "name", type(loss).__name__)
    module = getattr(loss, "__module__", "") or type(loss).__module__
    known = LOSSES.get(name, name)
    if getattr(model._compile_loss, "_user_loss_weights", None) is not None:
        return known, "loss_weights is not supported"
    if not module.startswith("keras.") or name not in LOSSES:
        return known, f"loss {name} is not supported"
    if isinstance(loss, keras.losses.Loss) and loss.reduction != "sum_over_batch_size":
        return known, f"loss reduction {loss.reduction} is not supported"
    return known, None


def _optimizer(optimizer: Any) -> tuple[Optimizer, str | None]:
    kind = type(optimizer).__name__
    config = optimizer.get_config()
    reason = None
    for name in UNSUPPORTED_OPTIONS:
        if config.get(name):
            reason = f"optimizer option {name} is not supported"
    rate = config["learning_rate"]
    if isinstance(rate, dict):
        return Optimizer(kind.lower(), float("nan")), "a learning-rate schedule is not supported"
    # Keras keeps the rate in float32; 0.001 must not come back as 0.0010000000474974513.
    rate = float(str(np.float32(rate)))
    known = _known_optimizer(kind, config, rate)
    if known is None:
        return Optimizer(kind.lower(), rate), f"optimizer {kind} is not supported"
    return known, reason


def _known_optimizer(kind: str, config: dict[str, Any], rate: float) -> Optimizer | None:
    match kind:
        case "SGD":
            return Optimizer("sgd", rate, momentum=config["momentum"], nesterov=config["nesterov"])
        case "RMSprop":
            return Optimizer(
                "rmsprop",
                rate,
                momentum=config["momentum"],
                rho=config["rho"],
                epsilon=config["epsilon"],
                centered=config["centered"],
            )
        case "Adam":
            return Optimizer(
                "adam",
                rate,
                beta_1=config["beta_1"],
                beta_2=config["beta_2"],
                epsilon=config["epsilon"],
            )
        case _:
            return None
